"""What a publisher expects of a workflow.

Values are compared exactly. There are no patterns, because `my-org/*` also matches what others may
create later. Names can be given to somebody else, so GitHub and GitLab need the IDs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulp_conda.app.errors import BadPublisher

Claims = Mapping[str, Any]

# Claims that say where a workflow is from. If one does not match, the workflow is somebody else's,
# who learns no more.
_ORIGIN = ("repository_id", "repository_owner_id", "project_id", "namespace_id", "sub")


@dataclass(frozen=True)
class _Service:
    """A CI service whose claims are known.

    Attributes:
        claims: Whoever expects one of these, means this service.
        needed: What a publisher has to expect: one of each.
    """

    name: str
    issuer: str
    claims: frozenset[str]
    needed: tuple[tuple[str, ...], ...]


_SERVICES = (
    _Service(
        "GitHub",
        "https://token.actions.githubusercontent.com",
        frozenset(
            {
                *("repository", "repository_id", "repository_owner", "repository_owner_id"),
                *("workflow", "workflow_file", "workflow_ref", "job_workflow_ref"),
            }
        ),
        (
            ("repository_id",),
            ("repository_owner_id",),
            ("workflow_file", "workflow_ref", "job_workflow_ref"),
        ),
    ),
    _Service(
        "GitLab",
        "https://gitlab.com",
        frozenset(
            {
                *("project_id", "project_path", "namespace_id", "namespace_path"),
                *("ci_config_file", "ci_config_ref_uri"),
            }
        ),
        (("project_id",), ("namespace_id",), ("ci_config_file", "ci_config_ref_uri")),
    ),
)

# What the server checks itself, or what is different in each token.
_NO_CLAIMS = {"iss", "aud", "exp", "nbf", "iat", "jti"}

_LONGEST = 1000


def check_claims(claims: Any, issuer: str) -> dict[str, str]:
    """Return what a publisher expects, as texts.

    Args:
        claims: Untrusted input: a JSON object.
        issuer: The issuer of the provider.

    Raises:
        BadPublisher
    """
    if not isinstance(claims, Mapping) or not claims:
        raise BadPublisher(reason="'claims' is no object with at least one claim")
    expected = {}
    for name, value in claims.items():
        text = spell(value)
        if name in _NO_CLAIMS:
            reason = f"'{name}' is checked for every token, and is no claim to expect"
            raise BadPublisher(reason=reason)
        if not text:
            raise BadPublisher(reason=f"the claim '{name}' is no text, number or boolean")
        if len(text) > _LONGEST or len(name) > _LONGEST:
            raise BadPublisher(reason=f"a claim is longer than {_LONGEST} characters")
        if "*" in text:
            reason = f"the claim '{name}' has a '*', and claims are compared exactly"
            raise BadPublisher(reason=reason)
        expected[name] = text
    for service in _SERVICES:
        if issuer == service.issuer or service.claims & expected.keys():
            for choices in service.needed:
                if not expected.keys() & set(choices):
                    which = " or ".join(f"'{name}'" for name in choices)
                    reason = f"a publisher of {service.name} needs the claim {which}"
                    raise BadPublisher(reason=reason)
    return expected


def with_files(claims: Claims) -> dict[str, Any]:
    """Return the claims of a token with the path of the workflow, without its branch or tag.

    `workflow_file` is made of GitHub's `workflow_ref`, and `ci_config_file` of GitLab's
    `ci_config_ref_uri`: `owner/repo/.github/workflows/release.yml@refs/tags/v1` and
    `gitlab.com/group/project//.gitlab-ci.yml@refs/heads/main`.
    """
    # A provider that has such a claim itself means something else.
    result = {
        name: value
        for name, value in claims.items()
        if name not in ("workflow_file", "ci_config_file")
    }
    path, _, ref = str(claims.get("workflow_ref", "")).rpartition("@")
    repository = f"{claims.get('repository')}/"
    if ref and path.startswith(repository):
        result["workflow_file"] = path.removeprefix(repository)
    path, _, ref = str(claims.get("ci_config_ref_uri", "")).rpartition("@")
    _project, slashes, file = path.partition("//")
    if ref and slashes:
        result["ci_config_file"] = file
    return result


def differences(expected: Mapping[str, str], claims: Claims) -> list[str]:
    """Return the names of the claims that are not as expected: those of its origin, or others."""
    wrong = [name for name, value in expected.items() if spell(claims.get(name)) != value]
    return [name for name in wrong if name in _ORIGIN] or wrong


def is_of_origin(expected: Mapping[str, str], claims: Claims) -> bool:
    """Say whether claims that say where a workflow is from are as expected."""
    return not any(
        spell(claims.get(name)) != value for name, value in expected.items() if name in _ORIGIN
    )


def spell(value: Any) -> str | None:
    """Return the text of a claim, by which it is compared, or None if it has none."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | str():
            return str(value)
    return None
