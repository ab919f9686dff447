"""The roles of a team in a channel: the table of the docs, cell by cell, and who gives and takes
them.
"""

from uuid import uuid4

import pytest

from tests.api.test_roles import table
from tests.support.builders import make_package

TABLE = list(table("Roles of a team"))
ROLES = ["reader", "uploader", "promoter", "approver", "owner"]


class Channel:
    """A repository, a lifecycle, and a distribution beside the stages."""

    def __init__(self, pulp):
        self.pulp = pulp
        self.name = f"team-{uuid4().hex[:8]}"
        made = pulp.post("repositories/conda/conda/", name=self.name, autopublish=True)
        self.repository = made["pulp_href"]
        self.lifecycle = pulp.lifecycle(self.repository)
        distribution = pulp.distribution(repository=self.repository, private=True)
        self.distribution, self.url = distribution["pulp_href"], distribution["base_url"]

    @property
    def parts(self):
        stages = self.lifecycle.read()["stages"]
        distributions = [self.distribution, *(stage["distribution"] for stage in stages)]
        return [self.repository, self.lifecycle.href, *distributions]

    def member(self, *roles):
        user = self.pulp.user([])
        for role in roles:
            self.grant(role, users=[_name(user)])
        return user

    def grant(self, role, **whom):
        return _here(self.pulp.post(f"{self.repository}grant/", role=role, **whom))

    def revoke(self, role, **whom):
        return _here(self.pulp.post(f"{self.repository}revoke/", role=role, **whom))

    def members(self):
        return _here(self.pulp.get(f"{self.repository}members/"))

    def roles_on_parts(self):
        """All rows of roles on the parts, as pulpcore lists them."""
        return {part: self.pulp.get(f"{part}list_roles/")["roles"] for part in self.parts}


def _here(members):
    """Leave out whom other tests gave a role in all channels."""
    return [each for each in members if each["granted"] or each["user"] == "admin"]


def _name(user):
    return user.session.auth[0]


def _permissions(user, href):
    return user.get(f"{href}my_permissions/")["permissions"]


def _member(user, role, granted=True, complete=True, group=None):
    name = None if group else _name(user)
    return {
        "role": role,
        "user": name,
        "group": group,
        "granted": granted,
        "complete": complete,
    }


@pytest.fixture(scope="module")
def channel(pulp):
    """A channel with a package in the first two stages, and a gate before the third."""
    channel = Channel(pulp)
    channel.package = pulp.upload(make_package("team"), repository=channel.repository)["pulp_href"]
    channel.lifecycle.promote("testing")
    gate = {"name": "ten", "kind": "approval", "approvals": 10}
    channel.lifecycle.set_gates("stable", gate)
    return channel


@pytest.fixture(scope="module")
def shared(pulp):
    """A channel for tests that leave its roles as they found them."""
    return Channel(pulp)


@pytest.fixture(scope="module")
def people(pulp, channel):
    """A user for each column of the table."""
    return {
        "nobody special": pulp.user([]),
        **{role: channel.member(role) for role in ROLES},
    }


@pytest.fixture(scope="module")
def waiting(pulp, channel):
    """The URL of a request that waits for ten answers."""
    channel.lifecycle.as_user(channel.member("owner")).promote("stable")
    (entry,) = pulp.get(f"{channel.lifecycle.href}history/", outcome="waiting")["results"]
    return entry["pulp_href"]


def _upload(user, channel, name, **fields):
    package = make_package(name)
    fields = {"repository": channel.repository, **fields}
    return user.post_bytes("content/conda/packages/", package.filename, package.data, **fields)


def _try(user, channel, waiting, action):
    """Return the answer to a user who tries an action."""
    lifecycle = channel.lifecycle.href
    stage = {"stage": "testing", "dry_run": True}
    match action:
        case "see the repository":
            return user.try_get(channel.repository)
        case "see the distribution":
            return user.try_get(channel.distribution)
        case "see the lifecycle":
            return user.try_get(lifecycle)
        case "read the private channel":
            return user.fetch(channel.url, "noarch/repodata.json", auth=user.session.auth)
        case "upload a package":
            return _upload(user, channel, f"by-{uuid4().hex[:8]}")
        case "replace a package":
            return _upload(user, channel, "team", overwrite="true")
        case "remove a package":
            units = [f"{channel.package[:-13]}{'0' * 12}/"]  # one that is not there
            path, body = f"{channel.repository}modify/", {"remove_content_units": units}
            answer = user.try_post(path, **body)
            # Who may ask learns that there is none.
            answer.status_code = 202 if "content units" in answer.text else answer.status_code
            return answer
        case "add an environment":
            body = {"name": uuid4().hex[:8], "source": "team\n", "format": "specs"}
            body |= {"platforms": ["linux-64"], "repository": channel.repository}
            return user.try_post("content/conda/environments/", **body)
        case "convert packages":
            return user.try_post(f"{channel.repository}convert/", dry_run=True)
        case "promote":
            return user.try_post(f"{lifecycle}promote/", **stage)
        case "promote single packages":
            return user.try_post(f"{lifecycle}promote_packages/", **stage, specs=["team"])
        case "roll back":
            return user.try_post(f"{lifecycle}rollback/", **stage)
        case "jump past stages":
            body = {"stage": "stable", "source": "unstable", "dry_run": True}
            return user.try_post(f"{lifecycle}promote/", **body)
        case "override a gate":
            body = {"stage": "stable", "overrides": {"ten": "because"}, "dry_run": True}
            return user.try_post(f"{lifecycle}promote/", **body)
        case "approve":
            return user.try_post(f"{waiting}approve/")
        case "sync":
            answer = user.try_post(f"{channel.repository}sync/")
            # Who may ask learns that there is no remote.
            answer.status_code = 202 if "remote" in answer.text else answer.status_code
            return answer
        case "change the repository":
            return user.try_patch(channel.repository, description="mine")
        case "change the distribution":
            return user.try_patch(channel.distribution, pulp_labels={})
        case "change the lifecycle":
            return user.try_patch(lifecycle, retain_days=7)
        case "delete the channel":
            return user.try_delete(channel.repository)  # fails later: it has a lifecycle
        case "list the members":
            return user.try_get(f"{channel.repository}members/")
        case "give roles":
            body = {"role": "reader", "users": ["admin"]}
            return user.try_post(f"{channel.repository}grant/", **body)


@pytest.mark.parametrize(
    "role, action, is_allowed",
    [
        pytest.param(role, action, allowed, id=f"{role}-{action}".replace(" ", "_"))
        for role, action, allowed in TABLE
    ],
)
def test_a_role_in_a_channel_allows_what_the_table_says(
    channel, people, waiting, role, action, is_allowed
):
    answer = _try(people[role], channel, waiting, action)
    # 400: a repository that the user may not see does not exist.
    refused = (400, 403, 404) if role == "nobody special" else (403,)
    assert answer.status_code in ((200, 201, 202) if is_allowed else refused), answer.text


@pytest.mark.parametrize(
    "overwrite", ["true", "True", "1", "on", "yes"], ids=lambda value: f"overwrite={value}"
)
def test_no_way_of_asking_lets_an_uploader_replace_a_package(channel, people, overwrite):
    refused = _upload(people["uploader"], channel, "team", overwrite=overwrite)
    assert refused.status_code in (400, 403)
    assert _upload(people["uploader"], channel, "again", overwrite="false").status_code == 202


def test_roles_are_given_on_all_parts_once_and_taken_as_they_were_given(pulp):
    channel = Channel(pulp)
    group = pulp.post("groups/", name=f"devs-{channel.name}")["name"]
    ci, ada = pulp.user([]), pulp.user([])
    whom = {"users": [_name(ci)], "groups": [group]}
    before = channel.roles_on_parts()
    creator = _member(pulp, "owner", granted=False)
    assert channel.members() == [creator]

    given = channel.grant("uploader", **whom)
    assert given == channel.members()
    assert given == sorted(
        [creator, _member(ci, "uploader")], key=lambda member: member["user"]
    ) + [_member(None, "uploader", group=group)]
    once = channel.roles_on_parts()
    assert channel.grant("uploader", **whom) == given
    assert channel.roles_on_parts() == once

    # What else they have stays, also where it allows the same.
    channel.grant("promoter", users=[_name(ci)])
    viewer = {"role": "conda.condarepository_viewer", "users": [_name(ci), _name(ada)]}
    pulp.post(f"{channel.repository}add_role/", **viewer)
    channel.revoke("uploader", **whom)
    assert _member(ci, "promoter") in channel.members()
    assert _upload(ci, channel, "no").status_code == 403
    assert "conda.promote_condalifecycle" in _permissions(ci, channel.lifecycle.href)
    channel.revoke("promoter", users=[_name(ci)])
    assert ci.try_get(channel.repository).status_code == 200
    assert ci.try_get(channel.lifecycle.href).status_code == 404
    pulp.post(f"{channel.repository}remove_role/", **viewer)
    assert channel.roles_on_parts() == before
    assert channel.revoke("promoter", users=[_name(ci)]) == [creator]


def test_members_of_a_group_have_its_role(pulp, channel):
    group = pulp.post("groups/", name=f"members-{channel.name}")
    user = pulp.user([])
    pulp.post(f"{group['pulp_href']}users/", username=_name(user))
    assert _upload(user, channel, "devs").status_code == 400
    channel.grant("uploader", groups=[group["name"]])
    assert _upload(user, channel, "devs").status_code == 202


def test_a_role_for_the_domain_is_one_in_each_channel(pulp, channel):
    user = pulp.user(["conda.channel_reader"])
    assert user.try_get(channel.lifecycle.href).status_code == 200
    found = pulp.get(f"{channel.repository}members/")
    assert _member(user, "reader", granted=False) in found


def test_a_part_that_comes_later_needs_the_role_again(pulp):
    channel = Channel(pulp)
    user = channel.member("reader")
    late = pulp.distribution(repository=channel.repository)["pulp_href"]
    assert user.try_get(late).status_code == 404
    assert _member(user, "reader", complete=False) in channel.members()
    channel.grant("reader", users=[_name(user)])
    assert user.try_get(late).status_code == 200
    assert _member(user, "reader") in channel.members()


@pytest.mark.parametrize("place", [1, -1], ids=["lifecycle", "stage"])
def test_who_may_not_share_one_part_shares_none(pulp, shared, place):
    channel = shared
    parts = channel.parts
    owner, someone = channel.member("owner"), pulp.user([])
    before = channel.roles_on_parts()
    hidden = parts[place]
    body = {"role": "conda.channel_owner", "users": [_name(owner)]}
    pulp.post(f"{hidden}remove_role/", **body)
    name = pulp.get(hidden)["name"]
    for verb in ("grant", "revoke"):
        refused = owner.try_post(
            f"{channel.repository}{verb}/", role="reader", users=[_name(someone)]
        )
        assert (refused.status_code, "CND0114" in refused.text) == (403, True)
        assert "parts that you may not see" in refused.text and f"'{name}'" not in refused.text
    assert owner.try_get(f"{channel.repository}members/").status_code == 403
    # Who sees the part reads its name.
    channel.grant("reader", users=[_name(owner)])
    refused = owner.try_post(f"{channel.repository}grant/", role="reader", users=[_name(someone)])
    assert f"'{name}'" in refused.text and "not see" not in refused.text
    assert someone.try_get(channel.repository).status_code == 404
    channel.revoke("reader", users=[_name(owner)])
    pulp.post(f"{hidden}add_role/", **body)
    assert channel.roles_on_parts() == before
    channel.revoke("owner", users=[_name(owner)])


@pytest.mark.parametrize(
    "body, field",
    [
        pytest.param({"role": "boss", "users": ["admin"]}, "role", id="no-such-role"),
        pytest.param({"users": ["admin"]}, "role", id="no-role"),
        pytest.param({"role": "reader"}, "non_field_errors", id="nobody"),
        pytest.param({"role": "reader", "users": []}, "non_field_errors", id="nobody-at-all"),
        pytest.param({"role": "reader", "users": ["not-there"]}, "users", id="no-such-user"),
        pytest.param(
            {"role": "reader", "users": ["admin"], "groups": ["x"]}, "groups", id="no-such-group"
        ),
        pytest.param({"role": "reader", "users": "admin"}, "users", id="no-list"),
        pytest.param({"role": "reader", "users": [{"a": 1}]}, "users", id="no-name"),
        pytest.param({"role": "reader", "users": ["\0"]}, "users", id="nul"),
    ],
)
@pytest.mark.parametrize("verb", ["grant", "revoke"])
def test_what_names_no_role_or_nobody_is_refused(pulp, channel, verb, body, field):
    before = channel.members()
    refused = pulp.try_post(f"{channel.repository}{verb}/", **body)
    assert (refused.status_code, list(refused.json())) == (400, [field])
    assert channel.members() == before


@pytest.mark.parametrize("role", ["promoter", "approver"])
def test_a_role_about_stages_needs_stages(pulp, unique, role):
    repository = pulp.post("repositories/conda/conda/", name=unique)["pulp_href"]
    refused = pulp.try_post(f"{repository}grant/", role=role, users=["admin"])
    assert (refused.status_code, "CND0115" in refused.text) == (400, True)
    assert pulp.try_post(f"{repository}grant/", role="reader", users=["admin"]).ok


def test_each_part_notes_who_gave_and_took_a_role(pulp, shared):
    channel = shared
    name = _name(channel.member("uploader"))
    channel.grant("uploader", users=[name])
    channel.revoke("uploader", users=[name])
    for part in channel.parts:
        acts = pulp.list("conda/acts/", resource=pulp.get(part)["prn"])
        details = {"role": "conda.channel_uploader", "user": name}
        found = [act["verb"] for act in reversed(acts) if act["details"] == details]
        assert found == ["granted", "revoked"]


def test_an_owner_in_a_channel_may_do_what_the_owners_of_its_parts_may(pulp):
    def permissions(name):
        return set(pulp.get("roles/", name=name)["results"][0]["permissions"])

    parts = ("condarepository", "condadistribution", "condalifecycle")
    of_parts = set().union(*(permissions(f"conda.{part}_owner") for part in parts))
    assert permissions("conda.channel_owner") == of_parts
