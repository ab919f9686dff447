#!/usr/bin/python
# Copyright: the pulp_conda developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

"""Register environments that people install from a channel."""

DOCUMENTATION = r"""
module: conda_environment
short_description: Register environments that gates solve
description:
  - Registers environments in a repository, or removes them. Before a stage moves, gates of the kind
    C(environments) check that the solver still finds a solution for them.
  - Names are unique in a repository. A new text replaces the environment of the same name.
options:
  repository:
    description: The name of the repository.
    type: str
    required: true
  name:
    description: The name of the environment. Gates use it, too.
    type: str
    required: true
  source:
    description: The text of the environment file.
    type: str
  src:
    description: The path of the environment file on the host that runs the module.
    type: path
  format:
    description:
      - The format of O(source) or O(src). V(specs) has one match spec on each line.
      - The default depends on the name of the file O(src). Required with O(source).
    type: str
    choices: [environment.yml, pixi.toml, pyproject.toml, specs]
  section:
    description: The name of the environment in a pixi manifest.
    type: str
    default: default
  platforms:
    description:
      - The subdirs to solve it for. Without this option, they stay as they are. The default of a
        new environment is the subdirs in the file.
    type: list
    elements: str
  virtual_packages:
    description:
      - The virtual packages of the machines, by platform. Write versions in quotes.
      - Virtual packages that are not given stay as they are. The default of a new environment is
        those in the file and those of an ordinary machine.
    type: dict
extends_documentation_fragment:
  - pulp.conda.pulp
  - pulp.conda.pulp.state
author:
  - The pulp_conda developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Register the environment of the analysts
  pulp.conda.conda_environment:
    repository: team
    name: analysis
    src: environments/analysis/environment.yml
    platforms: [linux-64, osx-arm64]

- name: Register the environment of the cluster
  pulp.conda.conda_environment:
    repository: team
    name: cluster
    format: specs
    source: |
      python 3.13.*
      scipy
    platforms: [linux-64]
    virtual_packages:
      linux-64: {__glibc: "2.17", __cuda: "12.4"}

- name: Remove the environment of the course
  pulp.conda.conda_environment:
    repository: team
    name: course
    state: absent
"""

RETURN = r"""
environment:
  description: The environment. In check mode, the environment as it would be, without the fields
    that the server reads from the file.
  type: dict
  returned: unless O(state=absent)
  sample:
    name: analysis
    format: environment.yml
    platforms: [linux-64, osx-arm64]
    requirements: {linux-64: [python 3.13.*, scipy], osx-arm64: [python 3.13.*, scipy]}
"""

from pathlib import Path

from ansible_collections.pulp.conda.plugins.module_utils.pulp import STATE, results, run

_FORMATS = {
    "environment.yml": "environment.yml",
    "environment.yaml": "environment.yml",
    "pixi.toml": "pixi.toml",
    "pyproject.toml": "pyproject.toml",
}


def work(module):
    repository = module.find("Repository", module.params["repository"])
    before = _registered(module, repository)
    if module.only_names("repository", "name"):
        return module.read("Environment", module.params["name"], environment=before)
    if module.params["state"] == "absent":
        if before:
            module.context("Repository", **_key(repository)).modify(
                remove_content=[before["pulp_href"]]
            )
        return results(before is not None, before, None)
    desired = _desired(module)
    if before and _is_same(desired, before):
        return results(False, before, before, environment=before)
    after = module.context("Environment").create({**desired, "repository": repository["pulp_href"]})
    if module.check_mode:
        after = {**(before or {}), **desired}
    return results(True, before, after, environment=after)


def _registered(module, repository):
    """Return the environment in the latest version of the repository, or None."""
    if "is_stand_in" in repository:
        return None
    query = {
        "name": module.params["name"],
        "repository_version": repository["latest_version_href"],
    }
    found = module.context("Environment").list(limit=1, offset=0, parameters=query)
    # Lists do not contain the text.
    return module.context("Environment").show(found[0]["pulp_href"]) if found else None


def _desired(module):
    source, src = module.params["source"], module.params["src"]
    if (source is None) == (src is None):
        module.fail("Give either 'source', the text of the environment, or 'src', its file.")
    file_format = module.params["format"] or (src and _FORMATS.get(Path(src).name))
    if file_format is None:
        module.fail("Give the 'format' of the environment, for example 'specs'.")
    if src:
        try:
            source = Path(src).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            module.fail(f"'{src}' is not a text in UTF-8.")
    return {
        "format": file_format,
        "source": source,
        **module.given("name", "section", "platforms", "virtual_packages"),
    }


def _is_same(desired, before):
    """Return whether the environment has all wanted values.

    Other values are those that the server read from the file.
    """
    machines = desired.get("virtual_packages", {})
    return (
        all(desired[field] == before[field] for field in ("format", "source", "section"))
        and set(desired.get("platforms", before["platforms"])) == set(before["platforms"])
        and all(
            before["virtual_packages"].get(platform, {}).get(name, ...) == value
            for platform, packages in machines.items()
            for name, value in packages.items()
        )
    )


def _key(repository):
    return {"pulp_href": repository["pulp_href"]}


def main():
    run(
        work,
        {
            "repository": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "source": {"type": "str"},
            "src": {"type": "path"},
            "format": {
                "type": "str",
                "choices": ["environment.yml", "pixi.toml", "pyproject.toml", "specs"],
            },
            "section": {"type": "str", "default": "default"},
            "platforms": {"type": "list", "elements": "str"},
            "virtual_packages": {"type": "dict"},
            **STATE,
        },
    )


if __name__ == "__main__":
    main()
