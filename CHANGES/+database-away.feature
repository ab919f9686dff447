While PostgreSQL does not answer, the API, the content app and the upload doors say 503 with `Retry-After` (CND0160) for every path, instead of 500.
