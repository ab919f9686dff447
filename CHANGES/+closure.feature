Copying and promoting packages with their dependencies now selects what can be installed: a solver is asked before and after, and ``newest`` and ``virtual_packages`` set how much comes along.
