#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Upload and remove the packages of a repository."""

DOCUMENTATION = r"""
module: conda_package
short_description: Upload packages to conda repositories, or remove them
description:
  - Uploads package files, and all packages in folders, to a repository. This makes one new version.
    Files whose SHA-256 the repository already has are not sent again.
  - Removes packages by their file names.
options:
  repository:
    description: The name of the repository.
    type: str
    required: true
  src:
    description:
      - Package files, and folders with packages at any depth, on the host that runs the module.
      - Required with O(state=present).
    type: list
    elements: path
  filenames:
    description:
      - The file names of packages to remove, for example C(hello-1.0-0.conda). With a subdir, as in
        C(noarch/hello-1.0-0.conda), only the file in that subdir is removed.
      - Required with O(state=absent), which is required with it.
    type: list
    elements: str
  subdir:
    description: The subdir of old packages that do not name it.
    type: str
  overwrite:
    description:
      - Whether a package may replace another file with the same name. Without this, it is an error,
        because lock files and caches expect that the bytes of a file name stay the same.
    type: bool
    default: false
  chunk_size:
    description: Files that are larger than this many bytes are sent in pieces of this size.
    type: int
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Upload new builds
  pulp.conda.conda_package:
    repository: team
    src:
      - dist/
      - extra/tool-1.0-0.conda

- name: Remove a broken build
  pulp.conda.conda_package:
    repository: team
    filenames: [noarch/tool-1.0-0.conda]
    state: absent
"""

RETURN = r"""
added:
  description: The files that were added, or would be added in check mode.
  type: list
  elements: str
  returned: unless O(state=absent)
  sample: [dist/noarch/tool-1.1-0.conda]
present:
  description: The files that the repository already had.
  type: list
  elements: str
  returned: unless O(state=absent)
  sample: [dist/noarch/tool-1.0-0.conda]
refused:
  description: The reason of the server for each file that it refused. If there is one, the module
    fails, but the other files are added.
  type: dict
  returned: unless O(state=absent)
  sample: {}
removed:
  description: The packages that were removed, or would be removed in check mode.
  type: list
  elements: str
  returned: when O(state=absent)
  sample: [noarch/tool-1.0-0.conda]
version:
  description: The number of the new version.
  type: int
  returned: when changed, except in check mode
  sample: 44
"""

from ansible_collections.pulp.conda.plugins.module_utils.pulp import (
    STATE,
    results,
    run,
    version_number,
)

try:
    from pulp_glue.conda.upload import Upload, find_packages
except ImportError:
    pass  # the module reports this when it runs


def work(module):
    found = module.find("Repository", module.params["repository"])
    repository = module.context("Repository", name=module.params["repository"])
    if module.params["state"] == "absent":
        return _remove(module, repository, found)
    if "is_stand_in" in found:
        repository.create({"name": found["name"]})  # this makes nothing in check mode
    return _upload(module, repository)


def _upload(module, repository):
    upload = Upload(
        repository,
        overwrite=module.params["overwrite"],
        subdir=module.params["subdir"],
        chunk_size=module.params["chunk_size"],
    )
    report = upload.run(find_packages(module.params["src"]))
    told = {
        **_results(bool(report.added), report.present, report.present + report.added),
        "added": report.added,
        "present": report.present,
        "refused": report.refused,
        **({"version": report.version} if report.version is not None else {}),
    }
    if report.refused:
        lines = [f"{file}: {reason}" for file, reason in report.refused.items()]
        module.fail("\n".join(lines), **told)
    return told


def _remove(module, repository, found):
    units = _units(module, found, module.params["filenames"])
    removed = sorted(units)
    told = {**_results(bool(units), removed, []), "removed": removed}
    if units and not module.check_mode:
        repository.modify(remove_content=list(units.values()))
        name = module.params["repository"]
        told["version"] = version_number(module.context("Repository", name=name).entity)
    return told


def _units(module, repository, filenames):
    """Return the hrefs of the packages of these names, by their paths."""
    if "is_stand_in" in repository:
        return {}
    query = {
        "repository_version": repository["latest_version_href"],
        "filename__in": sorted({name.rpartition("/")[2] for name in filenames}),
        "fields": ["pulp_href", "subdir", "filename"],
    }
    units = {}
    for unit in module.context("Package").list_iterator(query):
        path = f"{unit['subdir']}/{unit['filename']}"
        if path in filenames or unit["filename"] in filenames:
            units[path] = unit["pulp_href"]
    return units


def _results(changed, before, after):
    return results(changed, {"packages": before}, {"packages": after})


def main():
    run(
        work,
        {
            "repository": {"type": "str", "required": True},
            "src": {"type": "list", "elements": "path"},
            "filenames": {"type": "list", "elements": "str"},
            "subdir": {"type": "str"},
            "overwrite": {"type": "bool", "default": False},
            "chunk_size": {"type": "int"},
            **STATE,
        },
        required_if=[("state", "present", ["src"]), ("state", "absent", ["filenames"])],
        required_one_of=[("src", "filenames")],
        required_by={"filenames": ("state",)},
    )


if __name__ == "__main__":
    main()
