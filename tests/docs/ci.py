"""Reads the recipes of the guide to CI services."""

import re

import yaml

from tests.docs.steps import CHECKOUT

GUIDE = (CHECKOUT / "docs/user/guides/ci.md").read_text()


def read_blocks(chapter, language):
    text = GUIDE.partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def read_github():
    (workflow,) = read_blocks("GitHub Actions", "yaml")
    (job,) = yaml.safe_load(workflow)["jobs"].values()
    return [step for step in job["steps"] if "run" in step]


def read_gitlab():
    (pipeline,) = read_blocks("GitLab CI", "yaml")
    pipeline = yaml.safe_load(pipeline)
    return (
        pipeline["default"]["before_script"],
        pipeline["testing"]["script"],
        pipeline["stable"]["script"],
    )


def read_jenkins():
    (pipeline,) = read_blocks("Jenkins", "groovy")
    assert pipeline.count("{") == pipeline.count("}")
    return [
        long or short
        for long, short in re.findall(r"sh (?:'''(.*?)'''|'(.*?)')", pipeline, re.DOTALL)
    ]
