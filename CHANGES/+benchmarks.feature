Added `make bench`, which measures syncs, publications, modifications and serving on channels of the shape of conda-forge, and compares them with what pulpcore does on its own.
