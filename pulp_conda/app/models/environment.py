"""Environments that a channel must be able to solve, and their solutions."""

from hashlib import sha256
from typing import Any

import orjson
from django.contrib.postgres.fields import ArrayField
from django.db import models

from pulpcore.plugin.models import BaseModel, Content, Publication
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.vocabulary import SolverVerdict, choices_of
from pulp_conda.channel.environments.specs import EnvironmentFormat


class CondaEnvironment(Content):
    """What a team installs from the channel, as content of it: a version has one of a name.

    Fields:
        name (str): By which gates and people speak of it.
        format (str): One of `pulp_conda.channel.environments.specs.EnvironmentFormat`.
        source (str): The file as it was given.
        section (str): Which environment of a file with several.
        platforms (list): The subdirs to solve it for.
        virtual_packages (dict): What the machines have, by platform and name: {"linux-64":
            {"__glibc": "2.28"}} (CEP 30).
        requirements (dict): The specs by platform, read from the source; those for all others are
            under "".
        channels (list): The channels that the source names.
        pip (list): What the source wants from PyPI, which is kept and not solved.
        digest (str): The sha256 of what was given, in hex.
    """

    TYPE = "environment"
    repo_key_fields = ("name",)

    name = models.TextField(db_index=True)
    format = models.TextField(choices=choices_of(EnvironmentFormat))
    source = models.TextField()
    section = models.TextField()
    platforms = ArrayField(models.TextField())
    virtual_packages = models.JSONField(default=dict)
    requirements = models.JSONField()
    channels = ArrayField(models.TextField(), default=list)
    pip = ArrayField(models.TextField(), default=list)
    digest = models.CharField(max_length=64)

    _pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.PROTECT)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("_pulp_domain", "name", "digest")

    @staticmethod
    def digest_of(*facts: Any) -> str:
        """Return the digest of what was given: format, source, section, platforms and virtual
        packages.
        """
        return sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def specs_for(self, platform: str) -> tuple[str, ...]:
        """Return the specs to solve on a platform."""
        return tuple(self.requirements.get(platform, self.requirements.get("", ())))


class CondaSolution(BaseModel):
    """What the solver said of an environment on the records of a publication.

    Fields:
        publication (Publication): Whose records.
        base (str): Which publications of other channels were taken with it, a digest; empty for
            none.
        environment (CondaEnvironment): What was to be solved.
        platform (str): For which subdir.
        verdict (str): `solved`, `unsolvable` or `unknown`, if the solver ran out of time or memory.
        explanation (str): Why it is not solved.
        packages (list): The packages of the solution, as lock files name them.
        seconds (float): How long it took.
        peak_mb (int): The most memory of the process that solved it, in MiB.
    """

    publication = models.ForeignKey(Publication, on_delete=models.CASCADE)
    base = models.TextField(default="")
    environment = models.ForeignKey(CondaEnvironment, on_delete=models.CASCADE)
    platform = models.TextField()
    verdict = models.TextField(choices=choices_of(SolverVerdict))
    explanation = models.TextField(default="")
    packages = models.JSONField(default=list)
    seconds = models.FloatField()
    peak_mb = models.IntegerField()

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("publication", "environment", "platform", "base")
