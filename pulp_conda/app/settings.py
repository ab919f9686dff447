"""Defaults of our settings. Each can be set in Pulp's settings file or as `PULP_<NAME>`."""

from django.conf import global_settings

# The largest size in bytes to which a repodata file of an upstream may unpack.
CONDA_MAX_REPODATA_SIZE = 8 * 2**30

# The percentage of the packages of a subdir, and of a channel, that a sync with `mirror` may
# remove, unless the request has `allow_mass_removal`.
CONDA_MAX_REMOVED_PERCENT = 50

# The zstd level of published metadata: 'fast', 'small', a number from 1 to 22, or a dictionary of
# these by kind of file: 'repodata', 'run_exports' and 'shards'.
CONDA_ZSTD_LEVEL: str | int | dict[str, str | int] = "fast"

# Seconds for which clients and proxies may use repodata without asking again.
CONDA_METADATA_MAX_AGE = 0

# Limits for the contents of a package, by the names of the fields of
# `pulp_conda.channel.package.package.Limits`. A field that is not here has its default.
CONDA_PACKAGE_LIMITS: dict[str, int] = {}

# How many seconds it may take to make the `.conda` of one `.tar.bz2`.
CONDA_CONVERSION_SECONDS = 30 * 60

# How many bytes a package may unpack to that is uploaded without a task, and how many seconds it
# may take to read it. Meanwhile the API process answers nobody else, and gunicorn kills it after
# 30 to 90 seconds.
CONDA_SYNCHRONOUS_UPLOAD_SIZE = 256 * 2**20
CONDA_SYNCHRONOUS_UPLOAD_SECONDS = 5

# Whether a channel with a content guard seems not to be there to those who may not read it, unless
# they may view its distribution: they get 404 instead of 401 or 403. Set pulpcore's
# `HIDE_GUARDED_DISTRIBUTIONS` as well, so that lists of channels do not name it.
CONDA_HIDE_PRIVATE_CHANNELS = False

# Whether the content app answers for files of channels by one shared question to PostgreSQL. The
# answers are the same as without it.
CONDA_FAST_ANSWERS = True

# The path of a `trusted_root.json`. It names the Sigstore instances whose signatures of
# attestations count. None means Sigstore's public instance, as py-rattler knows it.
CONDA_SIGSTORE_TRUSTED_ROOT: str | None = None

# Whether a sync checks the signatures of attestations. Those of uploads are always checked.
CONDA_VERIFY_MIRRORED_ATTESTATIONS = True

# For how many seconds a token is valid that a trusted publisher gets. It has to be there for all
# uploads of a run.
CONDA_PUBLISHER_TOKEN_SECONDS = 15 * 60

# Limits for solving one environment on one platform: seconds, and MiB of memory. The repodata is
# mapped into memory and does not count.
CONDA_SOLVER_SECONDS = 60
CONDA_SOLVER_MEMORY = 2048

# How many environments to solve at a time. None means as many as there are cores.
CONDA_SOLVER_PROCESSES: int | None = None

# How many days acts are kept, which say who did what. None means for ever.
CONDA_ACT_RETENTION_DAYS: int | None = None

# How many days a token stays in the list after it expired or was revoked. None means for ever.
CONDA_TOKEN_RETENTION_DAYS: int | None = 90

# How many wrong passwords for a user, or wrong tokens, an address may send before it has to wait.
# None means that it never has to.
CONDA_FAILED_LOGINS: int | None = 10

# The networks of proxies whose `X-Forwarded-For` says from where a request comes.
CONDA_TRUSTED_PROXIES = ["127.0.0.0/8", "::1/128"]

# The path below which the content app takes packages from the upload tools of prefix.dev, Quetz,
# Artifactory and anaconda.org.
CONDA_DOORS_PREFIX = "/pulp/conda/"

# How many seconds an upload tool waits until its package is served.
CONDA_UPLOAD_WAIT_SECONDS = 300

# The channels that the labels of anaconda.org stand for: by the channel to which `anaconda upload`
# uploads with `--user`, and by label, the base path of a channel. An entry for one domain has these
# one level deeper, behind the name of the domain. Without an entry, 'main' is the channel itself,
# and there are no other labels.
CONDA_UPLOAD_LABELS: dict[str, dict[str, str | dict[str, str]]] = {}

# Where people reach the API app, for example "https://pulp.example.com". The page of stages then
# links to the boards of lifecycles, where who logged in can promote. None means no links.
CONDA_BOARD_ORIGIN: str | None = None

# How many seconds a request for metadata waits for the first sync of a channel with a `max_age`.
# After that it is answered with 503.
CONDA_FIRST_SYNC_SECONDS = 30

# Whether this server asks no upstream: nothing is synced or fetched, and what is here is served.
CONDA_OFFLINE = False

# The first of all, so that a database that does not answer is no error of the server.
MIDDLEWARE = "@insert 0 pulp_conda.app.database.ComeAgain"

# Conditions of our access policies that pulpcore does not have.
DRF_ACCESS_POLICY = {
    "dynaconf_merge_unique": True,
    "reusable_conditions": ["pulp_conda.app.global_access_conditions"],
}

# Our tokens come first: Pulp's check of passwords would take the token of a Basic login for one.
REST_FRAMEWORK__DEFAULT_AUTHENTICATION_CLASSES = (
    "@insert 0 pulp_conda.app.authentication.TokenAuthentication"
)

# Our hasher does not hash the same password again and again. It writes and reads the same hashes.
PASSWORD_HASHERS = [
    "pulp_conda.app.passwords.RememberingPasswordHasher"
    if name == "django.contrib.auth.hashers.PBKDF2PasswordHasher"
    else name
    for name in global_settings.PASSWORD_HASHERS
]

# The names of enums in the OpenAPI schema: several fields have the name `kind` or `outcome`.
# Without this, a new field of that name would rename the enum of another one, and with it a class
# in generated clients.
SPECTACULAR_SETTINGS = {
    "dynaconf_merge": True,
    "ENUM_NAME_OVERRIDES": {
        "KindEnum": "pulp_conda.channel.diff.KINDS",
        "HistoryEntryKindEnum": "pulp_conda.app.vocabulary.ENTRY_KINDS",
        "OutcomeEnum": "pulp_conda.app.vocabulary.ENTRY_OUTCOMES",
        "RunOutcomeEnum": "pulp_conda.app.vocabulary.RUN_OUTCOMES",
        "GateActionEnum": "pulp_conda.app.vocabulary.GATE_ACTIONS",
        "GateVerdictEnum": "pulp_conda.app.vocabulary.GATE_VERDICTS",
        # The kinds of gates and of their verdicts, each in a schema of its own.
        "ApprovalGateEnum": ["approval"],
        "BlocksGateEnum": ["blocks"],
        "EnvironmentsGateEnum": ["environments"],
        "PolicyGateEnum": ["policy"],
        "PolicyRuleEnum": "pulp_conda.channel.policies.rules.RULES",
        "UnknownLicensesEnum": ["allow", "deny"],
    },
}

# When a channel begins to serve another publication, the packages and shards of the one before stay
# for this number of seconds. This is a setting of pulpcore. Its default of three days is less than
# the week that CEP 16 asks for.
DISTRIBUTED_PUBLICATION_RETENTION_PERIOD = 7 * 24 * 60 * 60
