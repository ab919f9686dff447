"""The parts of the documentation that all modules share."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  pulp_url:
    description:
      - The URL of the Pulp server, without the path of its API.
      - If not given, the environment variable E(PULP_URL) is used.
    type: str
    required: true
  username:
    description:
      - The user of Pulp.
      - If not given, the environment variable E(PULP_USERNAME) is used.
    type: str
  password:
    description:
      - The password of O(username).
      - If not given, the environment variable E(PULP_PASSWORD) is used.
    type: str
  user_cert:
    description:
      - A file with a client certificate, to log in with it instead of a password.
      - If not given, the environment variable E(PULP_USER_CERT) is used.
    type: path
  user_key:
    description:
      - The file with the key of O(user_cert), if the certificate's file does not have it.
      - If not given, the environment variable E(PULP_USER_KEY) is used.
    type: path
  validate_certs:
    description:
      - Whether the certificate of the server has to be valid.
      - If not given, the environment variable E(PULP_VALIDATE_CERTS) is used.
    type: bool
    default: true
  ca_bundle:
    description:
      - A file with the certificates of the authorities to trust, in PEM.
      - If not given, the environment variable E(PULP_CA_BUNDLE) is used, and else what the system
        trusts.
    type: path
  api_root:
    description:
      - Where the API is on the server.
      - If not given, the environment variable E(PULP_API_ROOT) is used.
    type: str
    default: /pulp/
  domain:
    description:
      - The domain of Pulp to work in, on a server that has domains.
      - If not given, the environment variable E(PULP_DOMAIN) is used.
    type: str
    default: default
  timeout:
    description:
      - How many seconds to wait for a task of Pulp. With V(0), as long as it takes.
      - A task that takes longer goes on; the module fails and names it.
    type: int
    default: 1800
  refresh_api_cache:
    description:
      - Whether to download the description of the API again, which is kept in the user's cache
        folder.
      - Needed after a change of the server's plugins. It is done anyway if the kept one does not
        know of conda.
    type: bool
    default: false
requirements:
  - Python >= 3.11
  - pulp-glue-conda, of the version of the collection, where the module runs
attributes:
  check_mode:
    description: Can run in check mode, and then changes nothing.
    support: full
  diff_mode:
    description: Shows what changed, or would change, in diff mode.
    support: full
notes:
  - "All modules of this collection are in the action group V(pulp.conda.conda): give the
    connection once, in C(module_defaults) with the key C(group/pulp.conda.conda)."
  - In check mode, a resource that does not exist is taken as one that an earlier task would have
    made, with a warning.
"""

    STATE = r"""
options:
  state:
    description:
      - Whether it has to be there.
    type: str
    choices: [present, absent]
    default: present
"""

    LABELS = r"""
options:
  pulp_labels:
    description:
      - All its labels, keys and values. Left out, they stay as they are.
    type: dict
"""
