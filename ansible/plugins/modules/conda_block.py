#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Packages that cannot be downloaded from any channel."""

DOCUMENTATION = r"""
module: conda_block
short_description: Block conda packages in all channels
description:
  - Blocks packages of Pulp's conda plugin, and lifts blocks. A blocked package cannot be downloaded
    from any channel of the domain, and the channels that list it are published again without it.
  - The module waits until the channels are published again.
  - A block stays about the same packages. Options that are left out stay as they are.
options:
  sha256:
    description: The SHA-256 of the file to block, in hex. It need not be on the server. Give this
      or O(spec).
    type: str
  spec:
    description: A match spec of the packages to block, also of those that come later. Give this or
      O(sha256).
    type: str
  public_reason:
    description: Why, for everyone who asks for such a package. Required for a new block.
    type: str
  internal_note:
    description: What only those read who may see the block, for example a ticket.
    type: str
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Block two builds with a backdoor
  pulp.conda.conda_block:
    spec: xz 5.6.0|5.6.1
    public_reason: It has a backdoor (CVE-2024-3094). Use xz 5.4.6.
    internal_note: Ticket SEC-1234
  register: blocked

- name: Show the URLs to purge from the CDN
  ansible.builtin.debug:
    var: blocked.touched.purge.shown

- name: Lift the block
  pulp.conda.conda_block:
    spec: xz 5.6.0|5.6.1
    state: absent
"""

RETURN = r"""
block:
  description: The block. In check mode, as it would be.
  type: dict
  returned: unless O(state=absent)
  sample:
    spec: xz 5.6.0|5.6.1
    public_reason: It has a backdoor (CVE-2024-3094). Use xz 5.4.6.
    author: ada
    file_count: 4
touched:
  description: What has or had the packages - channels, stages, environments, lock files, and the
    URLs to purge from caches.
  type: dict
  returned: unless O(state=absent), and not for a new block in check mode
  sample:
    channels:
      count: 1
      shown:
        - name: forge
          base_url: https://pulp.example.org/pulp/content/forge/
          now: true
          paths: [linux-64/xz-5.6.1-h1_0.conda]
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import STATE, results, run


def work(module):
    key = module.given("sha256", "spec")
    context = module.context("Block", **key)
    if module.only_names("sha256", "spec"):
        return module.read("Block", *key.values(), block=module.existing(context))
    if module.params["state"] == "absent":
        return results(*module.converge(context, None))
    before = module.existing(context)
    if before is None and not module.params["public_reason"]:
        module.fail("There is no such block yet, and a new one needs a 'public_reason'.")
    changed, before, after = module.converge(
        context, module.given("public_reason", "internal_note")
    )
    found = {key: value for key, value in after.items() if key not in ("touched", "task_group")}
    if before is None and module.check_mode:
        return results(changed, before, found, block=found)
    return results(changed, before, found, block=found, touched=context.touched())


def main():
    run(
        work,
        {
            "sha256": {"type": "str"},
            "spec": {"type": "str"},
            "public_reason": {"type": "str"},
            "internal_note": {"type": "str"},
            **STATE,
        },
        mutually_exclusive=[("sha256", "spec")],
        required_one_of=[("sha256", "spec")],
    )


if __name__ == "__main__":
    main()
