"""Defaults of our settings; each can be set in Pulp's settings file or as `PULP_<NAME>`."""

# The most bytes that a repodata file of an upstream may unpack to.
CONDA_MAX_REPODATA_SIZE = 8 * 2**30

# zstd level of published metadata, 1 to 22. Checksums do not compress: from 3 to 15 is a few percent.
CONDA_ZSTD_LEVEL = 3

# Seconds for which clients and proxies may use repodata without asking again.
CONDA_METADATA_MAX_AGE = 0

# Limits of what a package may unpack to, by name of a field of `pulp_conda.channel.package.package.Limits`.
CONDA_PACKAGE_LIMITS = {}

# The path of a `trusted_root.json` with the Sigstore instances whose signatures of attestations count. None stands for
# Sigstore's public instance, as py-rattler knows it.
CONDA_SIGSTORE_TRUSTED_ROOT = None

# Check the signatures of attestations that a sync brings along; those of uploads are always checked.
CONDA_VERIFY_MIRRORED_ATTESTATIONS = True

# What solving an environment on a platform may take: seconds, and MiB of memory besides the repodata, which is mapped.
CONDA_SOLVER_SECONDS = 60
CONDA_SOLVER_MEMORY = 2048

# How many environments to solve at a time; None stands for as many as there are cores.
CONDA_SOLVER_PROCESSES = None

# Conditions of our access policies that pulpcore does not have.
DRF_ACCESS_POLICY = {
    "dynaconf_merge_unique": True,
    "reusable_conditions": ["pulp_conda.app.global_access_conditions"],
}

# Seconds for which packages and shards of a publication are served after a channel moved on to another one. A setting of
# pulpcore, whose default of three days is less than the week that CEP 16 asks for.
DISTRIBUTED_PUBLICATION_RETENTION_PERIOD = 7 * 24 * 60 * 60
