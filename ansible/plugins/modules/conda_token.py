#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Secrets by which programs act as a user."""

DOCUMENTATION = r"""
module: conda_token
short_description: Manage tokens, by which programs act as a user
description:
  - Creates, changes, rotates and deletes tokens of Pulp's conda plugin.
  - A token that is revoked stays so. It is deleted, and a new one with a new secret is created.
    Options that are left out stay as they are.
  - The secret is in the result once, when it is new. Use C(no_log), and store it at once.
options:
  name:
    description: Unique among the tokens of its owner.
    type: str
    required: true
  owner:
    description: The robot or the user as whom the token acts. The default is O(username).
    type: str
  scopes:
    description: What the token is for. Required for a new token.
    type: list
    elements: str
    choices: [read, upload, promote]
  channels:
    description: The base paths of the channels for which it is. With an empty list, and no
      O(lifecycles), it is for all channels of the domain.
    type: list
    elements: str
  lifecycles:
    description: The lifecycles for all of whose stages it is. With an empty list, and no
      O(channels), it is for all channels of the domain.
    type: list
    elements: str
  expires:
    description: From when on it is refused, for example V(2027-12-01). A time without a zone is in
      UTC. An empty text means never, which is also the default of a new token.
    type: str
  rotate:
    description: Give the token a new secret, each time the module runs.
    type: bool
    default: false
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Create a token for a robot
  pulp.conda.conda_token:
    name: github
    owner: robot+default+ci
    scopes: [upload]
    channels: [team/unstable]
    expires: "2027-12-01"
  register: made
  no_log: true

- name: Store its secret, if it is new
  ansible.builtin.copy:
    content: "{{ made.secret }}"
    dest: /etc/ci/token
    mode: "0600"
  when: made.secret is defined
  no_log: true

- name: Delete it
  pulp.conda.conda_token:
    name: github
    owner: robot+default+ci
    state: absent
"""

RETURN = r"""
token:
  description: The token without its secret. In check mode, as it would be.
  type: dict
  returned: unless O(state=absent)
  sample:
    name: github
    owner: robot+default+ci
    scopes: [upload]
    channels: [team/unstable]
secret:
  description: The secret.
  type: str
  returned: when it is new, and not in check mode
"""

from datetime import datetime, timezone

from ansible_collections.pulp.conda.plugins.module_utils.pulp import STATE, results, run


def work(module):
    owner = module.params["owner"] or module.params["username"]
    key = {"name": module.params["name"], **({"owner": owner} if owner else {})}
    context = module.context("Token", **key)
    if module.only_names("name", "owner"):
        return module.read("Token", module.params["name"], token=module.existing(context))
    if module.params["state"] == "absent":
        return results(*module.converge(context, None))
    before = module.existing(context)
    if before and before["revoked"]:
        module.converge(context, None)
        context = module.context("Token", **key)
    wanted = _wanted(module)
    if before is None or before["revoked"]:
        if not wanted.get("scopes"):
            module.fail("A new token needs 'scopes'.")
        given = {field: value for field, value in wanted.items() if value is not None}
        after = context.create({**key, **given})
        return _results(True, before, after)
    changes = {field: value for field, value in wanted.items() if not _is(before, field, value)}
    after = context.update(changes) if changes else before
    if module.params["rotate"] and not module.check_mode:
        after = context.rotate({})
    return _results(bool(changes) or module.params["rotate"], before, after)


def _wanted(module):
    """Return the fields that the options give. None is no limit, or no end."""
    limits = module.given("channels", "lifecycles")
    return {
        **module.given("scopes"),
        **{field: value or None for field, value in limits.items()},
        **{field: value or None for field, value in module.given("expires").items()},
    }


def _is(token, field, wanted):
    """Return whether a token has this in a field, in whatever order or form."""
    if field == "expires":
        return _time(token[field]) == _time(wanted)
    return set(wanted or ()) == set(token[field] or ()) and (wanted is None) == (
        token[field] is None
    )


def _time(text):
    """Return a time of the server or of an option, or None for none."""
    if not text:
        return None
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def _results(changed, before, after):
    secret = {"secret": after["token"]} if "token" in after else {}
    return {**results(changed, before, after, token=after), **secret}


def main():
    run(
        work,
        {
            "name": {"type": "str", "required": True},
            "owner": {"type": "str"},
            "scopes": {
                "type": "list",
                "elements": "str",
                "choices": ["read", "upload", "promote"],
                "no_log": False,
            },
            "channels": {"type": "list", "elements": "str"},
            "lifecycles": {"type": "list", "elements": "str"},
            "expires": {"type": "str"},
            "rotate": {"type": "bool", "default": False},
            **STATE,
        },
    )


if __name__ == "__main__":
    main()
