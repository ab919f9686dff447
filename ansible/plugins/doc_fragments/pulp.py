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
      - If not given, the environment variable E(PULP_CA_BUNDLE) is used. Without that, the
        certificates of the system are used.
    type: path
  api_root:
    description:
      - The path of the API on the server.
      - If not given, the environment variable E(PULP_API_ROOT) is used.
    type: str
    default: /pulp/
  domain:
    description:
      - The domain of Pulp, if the server has domains.
      - If not given, the environment variable E(PULP_DOMAIN) is used.
    type: str
    default: default
  timeout:
    description:
      - How many seconds to wait for a task of Pulp. With V(0), there is no limit.
      - If a task takes longer, it continues on the server. The module fails and names the task.
    type: int
    default: 1800
  refresh_api_cache:
    description:
      - Whether to download the description of the API again. It is cached in a folder of the user.
      - This is needed after the plugins of the server change. It is done automatically if the
        cached description has no conda plugin.
    type: bool
    default: false
requirements:
  - Python >= 3.11
  - pulp-glue-conda, in the same version as the collection, on the host that runs the module
attributes:
  check_mode:
    description: Can run in check mode, which changes nothing.
    support: full
  diff_mode:
    description: Shows in diff mode what changed or would change.
    support: full
notes:
  - "All modules of this collection are in the action group V(pulp.conda.conda). To give the
    connection only once, use C(module_defaults) with the key C(group/pulp.conda.conda)."
  - If a resource does not exist in check mode, the module assumes that an earlier task would have
    made it, and warns.
"""

    STATE = r"""
options:
  state:
    description:
      - Whether it must exist.
      - Without this option, V(present) is meant, unless the task only names the resource. Such a
        task changes nothing. It returns the resource, and fails if there is none.
    type: str
    choices: [present, absent]
"""

    LABELS = r"""
options:
  pulp_labels:
    description:
      - All of its labels, as keys and values. Without this option, the labels stay as they are.
    type: dict
"""

    LABEL_SELECT = r"""
options:
  pulp_label_select:
    description:
      - Only those with these labels, for example C(team=a,!old). C(key) is any value, C(!key) is
        without the label, and C(key~part) a value that contains the part.
    type: str
"""
