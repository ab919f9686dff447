#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Copy packages from one repository to another."""

DOCUMENTATION = r"""
module: conda_copy
short_description: Copy packages between conda repositories
description:
  - Copies packages that match specs, and their dependencies, from one repository to another. This
    makes one new version. Nothing is downloaded or uploaded.
  - Packages that the target already has are not copied again. No packages are removed from it.
  - In check mode, the server is asked what would be copied.
options:
  repository:
    description: The name of the repository to copy to.
    type: str
    required: true
  source:
    description: The name of the repository to copy from.
    type: str
    required: true
  source_version:
    description: The number of the version of O(source) to copy from. The default is the latest one.
    type: int
  specs:
    description:
      - Match specs of the packages to copy. Names may contain globs.
      - With dependencies, the specs are for packages that are installed together, and several specs
        for one name are alternatives.
    type: list
    elements: str
  environments:
    description: In place of O(specs), the names of environments of O(source). Exactly the packages
      of their lock files are copied.
    type: list
    elements: str
  with_dependencies:
    description:
      - Whether to copy what can be installed, with the dependencies that O(repository) does not
        have. Otherwise, all packages that match a spec are copied, and nothing else.
    type: bool
    default: true
  newest:
    description: With dependencies, how many of the newest releases to copy for each spec and each
      dependency. V(0) copies all. The default is 2.
    type: int
  virtual_packages:
    description: With dependencies, what the machines have that no channel brings, as versions by
      name, such as V(__cuda). Write versions in quotes.
    type: dict
  overwrite:
    description: Whether a package may replace another file of the same name.
    type: bool
    default: false
extends_documentation_fragment:
  - pulp.conda.pulp
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Copy packages that the team needs from the mirror
  pulp.conda.conda_copy:
    repository: team
    source: forge
    specs: ["numpy >=2", scipy]

- name: Copy exactly the packages of the lock file of an environment
  pulp.conda.conda_copy:
    repository: team
    source: forge
    environments: [analysis]
"""

RETURN = r"""
copied:
  description: The packages that were copied, or would be copied in check mode. At most a thousand
    are listed.
  type: list
  elements: str
  returned: if both repositories exist
  sample: [linux-64/numpy-2.1.0-py313_0.conda, noarch/scipy-1.14.0-0.conda]
unmet:
  description: Dependencies that neither repository satisfies.
  type: list
  elements: str
  returned: if both repositories exist
  sample: []
not_installable:
  description: Packages that match a spec and cannot be installed on one of their platforms, so that
    they are left out there.
  type: list
  elements: str
  returned: if both repositories exist
  sample: []
version:
  description: The number of the new version.
  type: int
  returned: when changed, except in check mode
  sample: 44
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import PulpException, results, run


def work(module):
    target = module.find("Repository", module.params["repository"])
    source = module.find("Repository", module.params["source"])
    if "is_stand_in" in target or "is_stand_in" in source:
        return results(True, None, {"packages": module.params["specs"] or ["what comes"]})
    href, number = source["pulp_href"], module.params["source_version"]
    repository = module.context(
        "Repository", pulp=module.asking_pulp, name=module.params["repository"]
    )
    try:
        report = repository.copy(
            href if number is None else f"{href}versions/{number}/",
            dry_run=module.check_mode,
            specs=module.params["specs"] or [],
            **module.given(
                "environments", "with_dependencies", "newest", "virtual_packages", "overwrite"
            ),
        )
    except PulpException as error:
        if not module.comes_later(error):
            raise
        return results(True, None, {"packages": module.params["specs"] or ["what comes"]})
    copied = [package["path"] for package in report["packages"]]
    version = {} if report["version"] is None else {"version": report["version"]}
    return {
        **results(report["count"] > 0, {"packages": []}, {"packages": copied}),
        "copied": copied,
        "unmet": report["unmet"],
        "not_installable": report["not_installable"],
        **version,
    }


def main():
    run(
        work,
        {
            "repository": {"type": "str", "required": True},
            "source": {"type": "str", "required": True},
            "source_version": {"type": "int"},
            "specs": {"type": "list", "elements": "str"},
            "environments": {"type": "list", "elements": "str"},
            "with_dependencies": {"type": "bool", "default": True},
            "newest": {"type": "int"},
            "virtual_packages": {"type": "dict"},
            "overwrite": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("specs", "environments")],
        required_one_of=[("specs", "environments")],
    )


if __name__ == "__main__":
    main()
