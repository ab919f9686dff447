Added `way_back` to the report of a rollback, and of a promotion to an earlier state: the specs, names and lock files that bring clients back, which `pulp conda lifecycle rollback` prints.
