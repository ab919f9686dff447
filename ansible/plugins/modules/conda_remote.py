#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Manage an upstream channel, and the packages to take from it."""

DOCUMENTATION = r"""
module: conda_remote
short_description: Manage the upstreams of conda channels
description:
  - Creates, changes and deletes remotes of Pulp's conda plugin. A remote is an upstream channel,
    and defines the packages that a sync takes from it.
  - Options that are not given stay as they are. In a new remote, they have the default of the
    server.
options:
  name:
    description: The name of the remote.
    type: str
    required: true
  url:
    description:
      - The URL of the upstream channel, without the subdir.
      - Required for a new remote. A token in the URL, as in C(/t/<token>/), goes into O(token).
    type: str
  subdirs:
    description: The subdirs to take. An empty list takes all that the channel has.
    type: list
    elements: str
  includes:
    description:
      - Match specs of packages to take. Names may contain globs. An empty list takes all packages.
      - Dependencies are not added.
    type: list
    elements: str
  excludes:
    description: Match specs of packages to leave out, applied after O(includes).
    type: list
    elements: str
  repodata_form:
    description:
      - In which form a sync reads the repodata of the upstream. V(shards) are one file for each
        package name. V(flat) is C(repodata.json) or zstd of it. V(auto) takes the shards, and
        where they cannot be used, the flat form.
    type: str
    choices: [auto, shards, flat]
  on_error:
    description:
      - What a sync with the policy V(immediate) does about package files that it cannot download.
        With V(skip), it makes a version without them.
    type: str
    choices: [fail, skip]
  trust_dates:
    description:
      - Whether the rule C(minimum_age) of gates believes the dates that the upstream gives, of
        packages that come from then on.
      - Otherwise a package is as old as the time since the server first saw it.
    type: bool
  policy:
    description:
      - When package files are downloaded. V(on_demand) downloads a file when a client first
        requests it. V(immediate) downloads all files during the sync. V(streamed) downloads a file
        for each request and does not keep it.
    type: str
    choices: [on_demand, immediate, streamed]
  remote_username:
    description: The user name for the upstream. An empty text removes it.
    type: str
  remote_password:
    description: The password for the upstream. An empty text removes it.
    type: str
  token:
    description: The token that the upstream needs at the start of the path. An empty text removes
      it.
    type: str
  ca_cert:
    description: The certificates of authorities to trust, in PEM. An empty text removes them.
    type: str
  client_cert:
    description: The client certificate for the upstream, in PEM. An empty text removes it.
    type: str
  client_key:
    description: The key of O(client_cert), in PEM. An empty text removes it.
    type: str
  tls_validation:
    description: Whether the certificate of the upstream has to be valid.
    type: bool
  proxy_url:
    description: The proxy to the upstream. An empty text removes it.
    type: str
  proxy_username:
    description: The user name for the proxy. An empty text removes it.
    type: str
  proxy_password:
    description: The password for the proxy. An empty text removes it.
    type: str
  rate_limit:
    description: How many requests a second are made at most.
    type: int
  download_concurrency:
    description: How many downloads run at the same time.
    type: int
  max_retries:
    description: How many times a failed download is repeated.
    type: int
  total_timeout:
    description: How many seconds one request for a file may take. The default is no limit.
    type: float
  sock_read_timeout:
    description: How many seconds a download waits for the next bytes. The default is 300.
    type: float
  update_secrets:
    description:
      - When to send O(remote_username), O(remote_password), O(token), O(client_key),
        O(proxy_username), O(proxy_password), and an O(url) that differs only in secrets. The server
        never shows them, so the module cannot compare them.
      - With V(on_create), only secrets that the remote does not have yet are sent. With V(always),
        all given secrets are sent each time, which counts as a change.
    type: str
    choices: [on_create, always]
    default: on_create
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
  - pulp.conda.pulp.labels
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Mirror a part of conda-forge
  pulp.conda.conda_remote:
    name: forge
    url: https://conda.anaconda.org/conda-forge
    subdirs: [linux-64, noarch]
    includes: ["python >=3.12,<3.13", "numpy >=1.26", libblas]
    excludes: ["numpy 2.0.*"]

- name: Use a channel that needs a token
  pulp.conda.conda_remote:
    name: partner
    url: https://conda.example.org/partner
    token: "{{ partner_token }}"

- name: Delete a remote
  pulp.conda.conda_remote:
    name: partner
    state: absent
"""

RETURN = r"""
remote:
  description: The remote, without its secrets. In check mode, the remote as it would be.
  type: dict
  returned: unless O(state=absent)
  sample:
    name: forge
    url: https://conda.anaconda.org/conda-forge
    subdirs: [linux-64, noarch]
    includes: ["numpy >=1.26"]
    excludes: []
    policy: on_demand
"""

from urllib.parse import urlsplit

from ansible_collections.pulp.conda.plugins.module_utils.pulp import (
    LABELS,
    STATE,
    is_shown_as,
    results,
    run,
)

_FIELDS = (
    "url",
    "subdirs",
    "includes",
    "excludes",
    "repodata_form",
    "on_error",
    "trust_dates",
    "policy",
    "ca_cert",
    "client_cert",
    "tls_validation",
    "proxy_url",
    "rate_limit",
    "download_concurrency",
    "max_retries",
    "total_timeout",
    "sock_read_timeout",
    "pulp_labels",
)
_SECRETS = (
    ("username", "remote_username"),
    ("password", "remote_password"),
    ("token", "token"),
    ("client_key", "client_key"),
    ("proxy_username", "proxy_username"),
    ("proxy_password", "proxy_password"),
)


def work(module):
    remote = module.context("Remote", name=module.params["name"])
    if module.only_names("name"):
        return module.read("Remote", module.params["name"], remote=module.existing(remote))
    if module.params["state"] == "absent":
        return results(*module.converge(remote, None))
    desired = module.given(*_FIELDS)
    if "url" in desired and urlsplit(desired["url"]).path.startswith("/t/"):
        module.fail(
            "'url' has a token in its path. Give the token as 'token', and the URL without it."
        )
    if "subdirs" in desired:
        desired["subdirs"] = list(dict.fromkeys(desired["subdirs"]))
    before = module.existing(remote)
    if before is None and "url" not in desired:
        module.fail(
            f"There is no remote '{module.params['name']}' yet, and a new one needs a 'url'."
        )
    if before and "url" in desired and module.params["update_secrets"] != "always":
        if is_shown_as(before["url"], desired["url"]):
            del desired["url"]
    secrets, removed = _secrets(module, before)
    changed, before, after = module.converge(remote, desired | secrets)
    if removed:
        after = remote.update(dict.fromkeys(removed, ""))
    return results(changed or bool(removed), before, after, remote=after)


def _secrets(module, before):
    """Return the secrets to send, by field, and the fields of secrets to remove.

    The server does not show secrets, so they cannot be compared. It only shows which are set.
    """
    given = {field: module.params[option] for field, option in _SECRETS}
    hidden = before["hidden_fields"] if before else ()
    is_set = {field["name"] for field in hidden if field["is_set"]}
    is_always = module.params["update_secrets"] == "always"
    secrets = {
        field: value
        for field, value in given.items()
        if value and (is_always or field not in is_set)
    }
    return secrets, [field for field, value in given.items() if value == "" and field in is_set]


def main():
    run(
        work,
        {
            "name": {"type": "str", "required": True},
            "url": {"type": "str"},
            "subdirs": {"type": "list", "elements": "str"},
            "includes": {"type": "list", "elements": "str"},
            "excludes": {"type": "list", "elements": "str"},
            "repodata_form": {"type": "str", "choices": ["auto", "shards", "flat"]},
            "on_error": {"type": "str", "choices": ["fail", "skip"]},
            "trust_dates": {"type": "bool"},
            "policy": {"type": "str", "choices": ["on_demand", "immediate", "streamed"]},
            "remote_username": {"type": "str"},
            "remote_password": {"type": "str", "no_log": True},
            "token": {"type": "str", "no_log": True},
            "ca_cert": {"type": "str"},
            "client_cert": {"type": "str"},
            "client_key": {"type": "str", "no_log": True},
            "tls_validation": {"type": "bool"},
            "proxy_url": {"type": "str"},
            "proxy_username": {"type": "str"},
            "proxy_password": {"type": "str", "no_log": True},
            "rate_limit": {"type": "int"},
            "download_concurrency": {"type": "int"},
            "max_retries": {"type": "int"},
            "total_timeout": {"type": "float"},
            "sock_read_timeout": {"type": "float"},
            "update_secrets": {
                "type": "str",
                "choices": ["on_create", "always"],
                "default": "on_create",
                "no_log": False,
            },
            **LABELS,
            **STATE,
        },
    )


if __name__ == "__main__":
    main()
