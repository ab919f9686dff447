Added ``environments`` to the copying of packages: it copies exactly what environments of the source are solved to.
