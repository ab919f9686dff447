#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Publish a version of a repository, which writes its metadata files."""

DOCUMENTATION = r"""
module: conda_publication
short_description: Publish versions of conda repositories
description:
  - Publishes a version of a repository, or deletes its publications. A version that is already
    published is not published again.
  - Without O(state) and O(checkpoint), it only returns the publication of the version.
  - A repository with C(autopublish) publishes each new version automatically.
options:
  repository:
    description: The name of the repository.
    type: str
    required: true
  version:
    description: The number of the version. The default is the latest one.
    type: int
  checkpoint:
    description:
      - Whether it must be a checkpoint. A checkpoint distribution serves it at a URL with its date.
      - With O(state=absent), only such publications are deleted. Without this option, all
        publications of the version are deleted.
    type: bool
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Publish the latest version
  pulp.conda.conda_publication:
    repository: team
    state: present
  register: published

- name: Serve exactly that publication
  pulp.conda.conda_distribution:
    name: team
    base_path: team
    publication: "{{ published.publication.pulp_href }}"

- name: Delete the publications of the first version
  pulp.conda.conda_publication:
    repository: team
    version: 1
    state: absent
"""

RETURN = r"""
publication:
  description: The publication. In check mode, the fields that are known.
  type: dict
  returned: unless O(state=absent)
  sample:
    pulp_href: /pulp/api/v3/publications/conda/conda/01924e1b-3e7f-7d22-b1f6-e1a2c9c4da31/
    repository_version:
      /pulp/api/v3/repositories/conda/conda/01924e1b-1c4d-7b11-a0e5-d0f1b8b3c920/versions/3/
    package_counts: {noarch: 12}
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import STATE, results, run


def work(module):
    repository = module.find("Repository", module.params["repository"])
    version, checkpoint = module.params["version"], module.params["checkpoint"]
    if version is None:
        href = repository.get("latest_version_href", repository["pulp_href"])
    else:
        href = f"{repository['pulp_href']}versions/{version}/"
    query = {"repository_version": href}
    if checkpoint is not None:
        query["checkpoint"] = checkpoint
    found = None
    if "is_stand_in" not in repository:
        found = module.context("Publication").list(limit=0, offset=0, parameters=query)
    if module.only_names("repository", "version"):
        name = module.params["repository"]
        return module.read("Publication", name, publication=found[0] if found else None)
    if module.params["state"] == "absent":
        for publication in found or ():
            module.context("Publication", pulp_href=publication["pulp_href"]).delete()
        return results(bool(found), found[0] if found else None, None)
    after = found[0] if found else module.context("Publication").create(query)
    return results(not found, after if found else None, after, publication=after)


def main():
    run(
        work,
        {
            "repository": {"type": "str", "required": True},
            "version": {"type": "int"},
            "checkpoint": {"type": "bool"},
            **STATE,
        },
    )


if __name__ == "__main__":
    main()
