"""The stages through which a channel moves, and the history of what each served."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import HStoreField
from django.db import models, transaction
from django.db.models import Max, Prefetch
from django.utils import timezone
from django_lifecycle import AFTER_CREATE, AFTER_UPDATE, hook

from pulpcore.plugin.find_url import find_api_root
from pulpcore.plugin.models import (
    AutoAddObjPermsMixin,
    BaseModel,
    ContentGuard,
    EncryptedTextField,
    Publication,
    RepositoryVersion,
)
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.errors import NothingWaits, OwnRequest, StateGone, UnknownReference
from pulp_conda.app.models.act import Audited, note_act
from pulp_conda.app.models.block import BlockedFile
from pulp_conda.app.models.distribution import SERVED_FIELDS, CondaDistribution
from pulp_conda.app.models.publication import CondaPublication, version_of
from pulp_conda.app.models.repository import CondaRepository
from pulp_conda.app.vocabulary import ActVerb, EntryKind, EntryOutcome, choices_of
from pulp_conda.channel.moments import Moment, State, parse_reference

# Where the boards are, behind the root of Pulp's API: each proxy sends this to the API app.
BOARDS = "conda/board/"

_KEY = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class CondaLifecycle(Audited, BaseModel, AutoAddObjPermsMixin):
    """The stages of a channel, in order: what one serves is promoted to the next.

    Fields:
        name (str): Unique in its domain.
        repository (CondaRepository): The channel's changing content, which the first stage follows.
        retain_days (int): For how many days what a stage served stays installable; None for as long
            as the lifecycle lives.
        announce (bool): Tell the users of a stage what moved, in its `notices.json`.
        webhook_url (str): Where to tell what happened, or None.
        webhook_secret (str): With which deliveries are signed.
        pulp_labels (dict): What people wrote on it, by key.
    """

    name = models.TextField(db_index=True)
    repository = models.ForeignKey(CondaRepository, on_delete=models.PROTECT)
    retain_days = models.PositiveIntegerField(null=True)
    announce = models.BooleanField(default=False)
    webhook_url = models.TextField(null=True)
    webhook_secret = EncryptedTextField(null=True)
    pulp_labels = HStoreField(default=dict)
    pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.PROTECT)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("name", "pulp_domain")
        permissions = [
            ("promote_condalifecycle", "Can promote a stage to the next one"),
            ("jump_condalifecycle", "Can promote past stages"),
            ("promote_packages_condalifecycle", "Can promote single packages"),
            ("rollback_condalifecycle", "Can roll a stage back"),
            ("override_condalifecycle", "Can override gates"),
            ("approve_condalifecycle", "Can answer requests for approval"),
            ("manage_roles_condalifecycle", "Can manage roles on conda lifecycles"),
            ("read_condalifecycle", "Can read the stages that are private"),
        ]

    def add_stages(self, stages: list[dict[str, Any]]) -> None:
        """Make stages and put them to the end.

        The first of all serves what the repository published last; others what their distribution
        serves.

        Args:
            stages: Dictionaries of `name`, `gates` and either `distribution` or `base_path`. With
                `content_guard`, the distribution has that guard, or none, from then on.
        """
        for position, facts in enumerate(stages, start=self.stages.count()):
            distribution = facts.get("distribution") or CondaDistribution.objects.create(
                name=f"{self.name}-{facts['name']}",
                base_path=facts["base_path"],
                pulp_domain=self.pulp_domain,
            )
            if "content_guard" in facts:
                distribution.content_guard = facts["content_guard"]
                distribution.save()
            served = distribution.get_repository_publication_and_version()[2]
            stage = self.stages.create(
                position=position,
                name=facts["name"],
                gates=facts["gates"],
                distribution=distribution,
            )
            kind = EntryKind.ADOPTED
            if served is None and position == 0:
                kind, served = EntryKind.PUBLISHED, self._newest_publication()
            if served:
                state = (version_of(served).number, 0)
                stage.move(HistoryEntry.make(stage, kind, served, state))
            else:
                stage.serve(None)

    @property
    def private(self) -> bool | None:
        """Whether not everybody may read the stages; None if that differs between them."""
        found = {stage.distribution.private for stage in self.stages.all()}
        return found.pop() if len(found) == 1 else None

    def distributions_unless(self, private: bool | None) -> list[CondaDistribution]:
        """Return the distributions of the stages that are not as `private` says it for all.

        Args:
            private: None says nothing.
        """
        if private is None:
            return []
        distributions = [stage.distribution for stage in self.stages.all()]
        return [each for each in distributions if each.private is not private]

    @property
    def board_url(self) -> str | None:
        """The URL of its board for people who log in, as the settings have it, or None."""
        if not settings.CONDA_BOARD_ORIGIN:
            return None
        root = find_api_root(domain=self.pulp_domain.name, rewrite_header=False)[1]
        return f"{settings.CONDA_BOARD_ORIGIN}{root}{BOARDS}{self.pk}/"

    @property
    def public_stages(self) -> list[str]:
        """The names of the stages that everybody may read, if a guard protects another stage."""
        stages = list(self.stages.all())
        public = [stage.name for stage in stages if stage.distribution.content_guard_id is None]
        return public if len(public) < len(stages) else []

    def _newest_publication(self) -> CondaPublication | None:
        publications = CondaPublication.objects.filter(
            repository_version__repository=self.repository, complete=True
        )
        return publications.order_by("-repository_version__number", "-pulp_created").first()

    def find_version(self, text: str, publications: models.QuerySet) -> RepositoryVersion:
        """Return the repository version that a text means, as
        `pulp_conda.channel.moments.parse_reference` reads it.

        The href of a publication of the channel does as well.

        Args:
            publications: The publications that an href may name.

        Raises:
            BadMoment, FutureMoment: the text means nothing.
            UnknownReference: there is no such state.
            StateGone: its publication is deleted.
        """
        if text.startswith("/"):
            return self._find_published(text, publications)
        reference = parse_reference(text, now=timezone.now())
        if reference.stage is None and isinstance(reference.at, Moment):
            versions = self.repository.versions.complete().filter(pulp_created__lte=reference.at.at)
            if version := versions.order_by("number").last():
                return version
            raise self._unknown(text, "the repository had no version then")
        if reference.stage is None:
            assert isinstance(reference.at, State)  # only a stage can be meant without "at"
            entries = HistoryEntry.objects.filter(
                lifecycle=self, version=reference.at.version, fix=reference.at.fix
            )
            versions = self.repository.versions.complete().filter(number=reference.at.version)
            if not reference.at.fix and versions:
                return versions[0]
        else:
            stage = self.stages.filter(name=reference.stage).first()
            if stage is None:
                raise self._unknown(text, "it has no such stage")
            entries = stage.find_states(reference.at)
        entry = entries.first()
        if entry is None:
            raise self._unknown(text, "nothing was served then")
        if entry.publication is None:
            raise StateGone(state=entry.label, stage=entry.stage.name)
        return version_of(entry.publication)

    def _find_published(self, href: str, publications: models.QuerySet) -> RepositoryVersion:
        repositories = {self.repository_id, *self.stages.values_list("repository", flat=True)}
        publication = publications.filter(
            pk__in=re.findall(_KEY, href)[-1:],
            repository_version__repository__in=repositories - {None},
        ).first()
        if publication is None:
            raise self._unknown(href, "it is no publication of this channel")
        return version_of(publication)

    def _unknown(self, text: str, reason: str) -> UnknownReference:
        return UnknownReference(text=text, lifecycle=self.name, reason=reason)

    def lock(self) -> None:
        """Wait until no other move or entry is being written, for the rest of the transaction."""
        CondaLifecycle.objects.select_for_update().only("pk").get(pk=self.pk)


class CondaStage(Audited, BaseModel):
    """One stage of a lifecycle: a URL, and what must hold before it moves.

    Fields:
        position (int): Its place in the order, from 0.
        name (str): Unique in its lifecycle.
        distribution (CondaDistribution): The URL; it serves one publication, and only moves of the
            stage change that.
        repository (CondaRepository): Where versions of its own are, once single packages were
            promoted into it.
        gates (list): See `pulp_conda.app.lifecycle.gates`.
    """

    lifecycle = models.ForeignKey(CondaLifecycle, on_delete=models.CASCADE, related_name="stages")
    position = models.PositiveSmallIntegerField()
    name = models.TextField()
    distribution = models.OneToOneField(
        CondaDistribution, on_delete=models.PROTECT, related_name="stage"
    )
    repository = models.ForeignKey(
        CondaRepository, null=True, on_delete=models.PROTECT, related_name="stages"
    )
    gates = models.JSONField(default=list)

    SET_BY_SERVER = frozenset({"repository"})

    # The entry of `current` or nothing. Only there if `with_stages` loaded it.
    loaded_current: "list[HistoryEntry]"

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = (("lifecycle", "name"), ("lifecycle", "position"))
        ordering = ("position",)

    @property
    def act_name(self) -> str:
        return f"{self.lifecycle.name}/{self.name}"

    @property
    def act_domain(self) -> UUID:
        return self.lifecycle.pulp_domain_id

    @property
    def content_guard(self) -> ContentGuard | None:
        """Who may read the stage; None if everybody may."""
        return self.distribution.content_guard

    @property
    def publication(self) -> CondaPublication | None:
        """What the stage serves, or None."""
        publication = self.distribution.publication
        return publication and publication.cast()

    @property
    def current(self) -> "HistoryEntry | None":
        """The entry of what the stage serves, or None."""
        if hasattr(self, "loaded_current"):
            return next(iter(self.loaded_current), None)
        return self.states.filter(until=None).first()

    @property
    def before(self) -> "CondaStage | None":
        """The stage before, or None."""
        stages = self.lifecycle.stages.all()
        return next((stage for stage in stages if stage.position == self.position - 1), None)

    @property
    def states(self) -> models.QuerySet:
        """The entries of all that the stage served or serves, newest first."""
        return HistoryEntry.objects.filter(stage=self, moved_at__isnull=False).order_by("-moved_at")

    def find_states(self, at: State | Moment | None) -> models.QuerySet:
        """Return the entries by which the stage came into a state, newest first.

        Args:
            at: A `State`, a `Moment` whose state is the first of them, or None for now.
        """
        if at is None:
            return self.states.filter(until=None)
        if isinstance(at, State):
            return self.states.filter(version=at.version, fix=at.fix)
        return self.states.filter(moved_at__lte=at.at)

    def find_earlier(self) -> "HistoryEntry | None":
        """Return the entry of the state to roll back to: what the stage served before the state
        that it is in.

        Each further rollback goes back to an older state, and never to a newer one, and none goes
        behind the `barrier`.
        """
        current = entry = self.current
        while entry and entry.kind == EntryKind.ROLLED_BACK:
            same = self.states.filter(publication=entry.publication_id)
            entry = same.filter(moved_at__lt=entry.moved_at).first()
        if entry is None or current is None:
            return None
        earlier = self.states.filter(moved_at__lt=entry.moved_at, publication__isnull=False)
        if barrier := self.barrier:
            earlier = earlier.filter(moved_at__gte=barrier.moved_at)
        return earlier.exclude(publication=current.publication_id).first()

    @property
    def barrier(self) -> "HistoryEntry | None":
        """The entry behind which no rollback goes, or None.

        That is the last one by which packages were blocked that are still blocked.
        """
        for entry in self.states.filter(kind=EntryKind.BLOCKED).defer("report"):
            # Once its publication is deleted, nobody knows what it left out.
            withheld = entry.publication and entry.publication.cast().withheld
            if withheld is None or BlockedFile.are_any_blocked(withheld):
                return entry
        return None

    def move(self, entry: "HistoryEntry") -> None:
        """Serve the publication of an entry from now on.

        This writes two rows: the distribution, which clients see, and the entry, which says why.

        Both in one transaction, with the lifecycle locked, so that moves come one after the other.

        Raises:
            StateGone: somebody deleted the publication.
        """
        with transaction.atomic():
            self.lifecycle.lock()
            publications = Publication.objects.select_for_update().filter(pk=entry.publication_id)
            if not publications.exists():
                raise StateGone(state=entry.label, stage=self.name)
            now = timezone.now()
            if current := self.current:
                # Two moves of one moment would leave nobody to say which came first.
                now = max(now, current.moved_at + timedelta(microseconds=1))
                HistoryEntry.objects.filter(pk=current.pk).update(until=now)
            # A waiting request is for a move from the earlier state, so it is superseded.
            waiting = HistoryEntry.objects.filter(stage=self, outcome=EntryOutcome.WAITING)
            waiting.exclude(pk=entry.pk).update(outcome=EntryOutcome.SUPERSEDED)
            entry.set_before(current)
            entry.moved_at = now
            entry.outcome = EntryOutcome.MOVED
            entry.save()
            self.serve(entry.publication_id)

    def serve(self, publication_pk: UUID | None) -> None:
        """Let the distribution serve a publication or nothing, whatever it followed until now."""
        distribution = CondaDistribution.objects.get(pk=self.distribution_id)
        distribution.publication_id = publication_pk
        distribution.repository = distribution.repository_version = None
        # The rest of the row is for others, who may be changing it.
        distribution.save(update_fields=[*SERVED_FIELDS, "pulp_last_updated"])
        self.distribution = distribution


class HistoryEntry(BaseModel):
    """One thing that happened to a stage, or was asked for.

    Fields:
        number (int): Counts the entries of a lifecycle, from 1.
        kind (str): `adopted`, `published`, `promoted`, `packages`, `rolled_back`, `blocked` or
            `unblocked`.
        outcome (str): `moved`, `blocked`, `waiting` for an approval, `rejected`, or `superseded` by
            another move.
        publication (Publication): What the stage was to serve; None once that is deleted.
        version, fix (int): Its label: the version of the lifecycle's repository, and which set of
            single packages on top.
        before_version, before_fix (int): The label of what the stage served before, or None.
        requester (User), requested_by (str): Who wanted it; the name stays when the user goes.
        reason (str): Why.
        report (dict): What differs, and what each gate said.
        specs (list): For single packages: what was asked for.
        answers (list): What approvers said: {"user", "user_id", "approved", "reason", "at"}.
        moved_at, until (datetime): From when to when the stage served it; None if it never did, or
            still does.
    """

    lifecycle = models.ForeignKey(CondaLifecycle, on_delete=models.CASCADE, related_name="history")
    stage = models.ForeignKey(CondaStage, on_delete=models.CASCADE)
    number = models.PositiveIntegerField()
    kind = models.TextField(choices=choices_of(EntryKind))
    outcome = models.TextField(choices=choices_of(EntryOutcome))
    publication = models.ForeignKey(Publication, null=True, on_delete=models.SET_NULL)
    version = models.IntegerField()
    fix = models.IntegerField(default=0)
    before_version = models.IntegerField(null=True)
    before_fix = models.IntegerField(null=True)
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    requested_by = models.TextField(default="")
    reason = models.TextField(default="")
    report = models.JSONField(default=dict)
    specs = models.JSONField(default=list)
    answers = models.JSONField(default=list)
    moved_at = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("lifecycle", "number")
        ordering = ("-number",)
        indexes = [
            # Finds the state of a stage at a time.
            models.Index(fields=["stage", "moved_at"], name="conda_history_moments")
        ]

    @property
    def state(self) -> tuple[int, int]:
        """Its label as numbers: (version, fix)."""
        return self.version, self.fix

    @property
    def label(self) -> str:
        """The name of the state, as URLs have it: `v42`, or `v42.1` for single packages on top of
        it.
        """
        return label(self.version, self.fix)

    @property
    def before(self) -> str | None:
        """The name of the state that the stage was in before, or None."""
        return None if self.before_version is None else label(self.before_version, self.before_fix)

    @classmethod
    def make(
        cls,
        stage: CondaStage,
        kind: str,
        publication: Publication,
        state: tuple[int, int],
        requester: Any = None,
        **facts: Any,
    ) -> "HistoryEntry":
        """Return an unsaved entry about a stage.

        Args:
            state: The label of the publication, as (version, fix).
            requester: The user who wants it, or None for Pulp itself.
        """
        version, fix = state
        entry = cls(
            lifecycle_id=stage.lifecycle_id,
            stage=stage,
            kind=kind,
            publication=publication,
            version=version,
            fix=fix,
            requester=requester,
            requested_by=requester.get_username() if requester else "",
            **facts,
        )
        entry.set_before(stage.current)
        return entry

    @hook(AFTER_CREATE)
    @hook(AFTER_UPDATE, when_any=["outcome", "answers"], has_changed=True)
    def note_move(self) -> None:
        note_act(
            ActVerb.MOVED,
            self.stage,
            self.stage.act_name,
            self.stage.act_domain,
            entry=self.number,
            kind=self.kind,
            outcome=self.outcome,
            state=self.label,
        )

    def answer(self, user: Any, is_approved: bool, reason: str) -> None:
        """Store the answer of a user to this request. A rejection closes it.

        After an approval, the caller tries to move the stage again.

        Raises:
            NothingWaits: the entry is not a request, or is closed.
            OwnRequest: the user made the request.
        """
        facts = {"number": self.number, "lifecycle": self.lifecycle.name}
        if self.outcome != EntryOutcome.WAITING:
            raise NothingWaits(outcome=self.outcome, **facts)
        if user.pk == self.requester_id:
            raise OwnRequest(user=user.get_username(), **facts)
        self.answers = [answer for answer in self.answers if answer["user_id"] != user.pk]
        self.answers.append(
            {
                "user": user.get_username(),
                "user_id": user.pk,
                "approved": is_approved,
                "reason": reason,
                "at": timezone.now().isoformat(),
            }
        )
        if not is_approved:
            self.outcome = EntryOutcome.REJECTED
        self.save()

    def take_answers(self) -> None:
        """Take over what was said to this request since it was read, and let nobody answer for the
        rest of the transaction.

        Raises:
            NothingWaits: somebody rejected it.
        """
        if self._state.adding:
            return
        now = HistoryEntry.objects.select_for_update().get(pk=self.pk)
        if now.outcome != EntryOutcome.WAITING:
            raise NothingWaits(
                number=self.number, lifecycle=self.lifecycle.name, outcome=now.outcome
            )
        self.answers = now.answers

    def requested_again(self, overrides: dict[str, Any]) -> None:
        """Add the overrides of a repeated request to this waiting request."""
        self.report["overrides"] = {**self.report.get("overrides", {}), **overrides}

    def set_before(self, current: "HistoryEntry | None") -> None:
        """Note what the stage serves when this happens, an entry or None."""
        self.before_version = current and current.version
        self.before_fix = current and current.fix

    def save(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            if self.number is None:
                self.lifecycle.lock()
                last = self.lifecycle.history.aggregate(last=Max("number"))["last"]
                self.number = (last or 0) + 1
            super().save(*args, **options)


def with_stages(lifecycles: models.QuerySet) -> models.QuerySet:
    """Let a queryset load lifecycles with all that answers show of their stages.

    It takes five queries for all lifecycles together. What moves later is not seen.
    """
    current = HistoryEntry.objects.filter(moved_at__isnull=False, until=None)
    stages = CondaStage.objects.select_related("distribution__content_guard").prefetch_related(
        Prefetch("conda_historyentry", current, to_attr="loaded_current"),
        # As rows of this plugin, so pulpcore need not look for these one by one.
        Prefetch("distribution__publication", CondaPublication.objects.all()),
    )
    return lifecycles.select_related("repository").prefetch_related(Prefetch("stages", stages))


def label(version: int, fix: int) -> str:
    """Return the name of a state: `v42`, or `v42.1`."""
    return f"v{version}.{fix}" if fix else f"v{version}"
