Added `make bench`, which measures syncs, publications, modifications and serving on channels that are similar to conda-forge, and compares them with pulpcore alone.
