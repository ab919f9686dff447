#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""The roles of a team in a channel."""

DOCUMENTATION = r"""
module: conda_member
short_description: Give and take roles in a conda channel
description:
  - Gives users and groups a role in a channel of Pulp's conda plugin, on all of its parts at once -
    the repository, the distributions that serve it, and its lifecycles - or takes the role back.
  - Roles that were given in another way stay as they are.
options:
  channel:
    description: The name of the channel, which is that of its repository.
    type: str
    required: true
  role:
    description: A reader sees the channel. An uploader also adds packages, a promoter moves stages,
      an approver answers requests for approval, and an owner does everything.
    type: str
    required: true
    choices:
      - reader
      - uploader
      - promoter
      - approver
      - owner
  users:
    description: The names of users. Give these, or O(groups).
    type: list
    elements: str
  groups:
    description: The names of groups.
    type: list
    elements: str
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Let CI and the developers upload
  pulp.conda.conda_member:
    channel: team
    role: uploader
    users: [ci]
    groups: [devs]

- name: Take it back from CI
  pulp.conda.conda_member:
    channel: team
    role: uploader
    users: [ci]
    state: absent
"""

RETURN = r"""
members:
  description: Who has which role in the channel. In check mode, as it would be.
  type: list
  elements: dict
  returned: always
  sample:
    - role: uploader
      user: ci
      group: null
      granted: true
      complete: true
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import STATE, results, run


def work(module):
    repository = module.find("Repository", module.params["channel"])
    context = module.context("Repository", name=module.params["channel"])
    before = [] if repository.get("is_stand_in") else context.members()
    role, is_present = module.params["role"], module.params["state"] != "absent"
    users, groups = (_changing(module, before, kind) for kind in ("user", "group"))
    changed = bool(users or groups)
    after = before
    if changed and module.check_mode:
        after = _foreseen(before, role, users, groups, is_present)
    elif changed:
        after = (context.grant if is_present else context.revoke)(role, users, groups)
    return {**results(changed, {"members": before}, {"members": after}), "members": after}


def _changing(module, members, kind):
    """Return the names of users, or of groups, whose role is not as wanted."""
    is_present = module.params["state"] != "absent"
    has = {
        member[kind]
        for member in members
        if member["role"] == module.params["role"]
        and member["granted"]
        # Some of a role is not the role, but is something to take away.
        and (member["complete"] or not is_present)
    }
    return [name for name in module.params[f"{kind}s"] or () if (name in has) != is_present]


def _foreseen(members, role, users, groups, is_present):
    """Return who would have which role."""
    others = [
        member
        for member in members
        if member["role"] != role or not (member["user"] in users or member["group"] in groups)
    ]
    if not is_present:
        return others
    new = [{"user": name, "group": None} for name in users]
    new += [{"user": None, "group": name} for name in groups]
    return others + [{"role": role, **each, "granted": True, "complete": True} for each in new]


def main():
    run(
        work,
        {
            "channel": {"type": "str", "required": True},
            "role": {
                "type": "str",
                "required": True,
                "choices": ["reader", "uploader", "promoter", "approver", "owner"],
            },
            "users": {"type": "list", "elements": "str"},
            "groups": {"type": "list", "elements": "str"},
            **STATE,
        },
        required_one_of=[("users", "groups")],
    )


if __name__ == "__main__":
    main()
