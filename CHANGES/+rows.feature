Reduced the CPU time of first syncs by an eighth: rows are written as text, and memberships are inserted in the order of their keys.
