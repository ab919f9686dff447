Made answers for packages that do not exist, and for those that only an earlier state has, take one statement less of PostgreSQL.
