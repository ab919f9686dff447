Added uploads of ``.conda`` and ``.tar.bz2`` packages, which are opened with limits and checked before anything is stored.
