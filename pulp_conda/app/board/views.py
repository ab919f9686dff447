"""The pages of the board. A GET changes nothing; a POST is one request to REST."""

from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.urls import reverse as plain_reverse
from django.views import View
from rest_framework.response import Response

from pulpcore.plugin.util import get_prn, reverse

from pulp_conda.app.board.places import channels_place, login_place, place
from pulp_conda.app.board.rest import Rest, sentences
from pulp_conda.app.board.telling import (
    ALL_FINDINGS,
    answers_of,
    difference_of,
    difference_of_answer,
    gates_of,
    overrides_of,
    sentence_of,
    sentence_of_report,
    word_of,
)
from pulp_conda.app.errors import StageMoved
from pulp_conda.app.models import CondaLifecycle, CondaStage, HistoryEntry
from pulp_conda.app.vocabulary import EntryKind, EntryOutcome, MoveOutcome
from pulp_conda.channel import layout
from pulp_conda.channel.layout import PageKind
from pulp_conda.pages import board as pages
from pulp_conda.pages.looks import FORM_POLICY, query_string

_LIFECYCLES_SHOWN = 100
_ENTRIES_SHOWN = 50
_POINTS_SHOWN = 20
_NAMES_SHOWN = 100

# Seconds after which the page of a task that is not done loads itself again.
_AGAIN = 2

_OVERRIDE = "override-"

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": FORM_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    # With `no-referrer`, browsers hide the `Origin` of a form, and Django takes it for forged.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_NOTHING_HERE = (
    "There is no such page, or you may not see what it is about.",
    "The owners of a lifecycle can give you a role, such as conda.condalifecycle_viewer.",
)


def _needs(what: str, role: str) -> str:
    return (
        f"{what} needs the role conda.condalifecycle_{role} for this lifecycle, or the role "
        f"'{role}' in its channel. Its owners can give it to you."
    )


_PROMOTING = _needs("Promoting", "promoter")
_ROLLING_BACK = _needs("Rolling back", "promoter")
_ANSWERING = _needs("Answering a request", "approver")


class _Page(View):
    """A page for somebody who logged in by a session. Tokens and passwords of requests do not
    count.
    """

    http_method_names: ClassVar[list[str]] = ["get", "head"]

    def dispatch(self, request: HttpRequest, *args: Any, **parts: Any) -> HttpResponse:
        """Answer a request, with the headers of all pages of the board."""
        self.parts = parts
        if not request.user.is_authenticated:
            answer: HttpResponse = redirect_to_login(request.get_full_path(), login_place())
        else:
            try:
                answer = super().dispatch(request, *args, **parts)
            except Http404:
                text = pages.render_refusal(self.desk(), "Nothing is here", _NOTHING_HERE)
                answer = self.html(text, 404)
        for name, value in _HEADERS.items():
            answer.headers[name] = value
        return answer

    @cached_property
    def rest(self) -> Rest:
        """REST as the person may use it."""
        return Rest(self.request)

    def html(self, text: str, status: int = 200) -> HttpResponse:
        """Return the answer with a page."""
        # What is half of a character cannot be written.
        data = text.encode(errors="replace")
        return HttpResponse(data, content_type="text/html; charset=utf-8", status=status)

    def desk(self, lifecycle: CondaLifecycle | None = None) -> pages.Desk:
        """Return what stands around the page."""
        home = place(self.request, "lifecycles")
        return pages.Desk(
            user=self.request.user.get_username(),
            home=home,
            channels=channels_place(),
            logout=f"{plain_reverse('rest_framework:logout')}?{query_string(next=home)}",
            csrf_token=get_token(self.request),
            lifecycle=lifecycle.name if lifecycle else "",
            href=place(self.request, "stages", lifecycle=lifecycle.pk) if lifecycle else "",
        )


class LifecyclesPage(_Page):
    """The lifecycles that a person may see."""

    def get(self, request: HttpRequest) -> HttpResponse:
        lifecycles = self.rest.list(reverse("conda/lifecycles-list")).order_by("name")
        after = request.GET.get("after", "").replace("\0", "")
        shown = list(lifecycles.filter(name__gt=after)[: _LIFECYCLES_SHOWN + 1])
        more = None
        if len(shown) > _LIFECYCLES_SHOWN:
            shown.pop()
            more = query_string(after=shown[-1].name)
        listed = [
            pages.ListedLifecycle(
                name=lifecycle.name,
                href=place(request, "stages", lifecycle=lifecycle.pk),
                stages=[
                    (stage.name, stage.current.label if stage.current else None)
                    for stage in lifecycle.stages.all()
                ],
            )
            for lifecycle in shown
        ]
        return self.html(pages.render_lifecycles(self.desk(), listed, more))


class LostPage(_Page):
    """A path below the board at which there is nothing."""

    def get(self, request: HttpRequest, **parts: Any) -> HttpResponse:
        raise Http404()


class _OfLifecycle(_Page):
    """A page about a lifecycle that the person may see."""

    @cached_property
    def lifecycle(self) -> CondaLifecycle:
        return self.rest.find(self.url("conda/lifecycles-detail"))

    @cached_property
    def stages(self) -> list[CondaStage]:
        """The stages in their order, each with `loaded_current`."""
        return list(self.lifecycle.stages.all())

    def url(self, name: str) -> str:
        """Return the path of the lifecycle in REST, or of one of its actions."""
        return reverse(name, kwargs={"pk": self.parts["lifecycle"]})

    def place(self, name: str, **parts: Any) -> str:
        """Return the path of a page of this lifecycle."""
        return place(self.request, name, lifecycle=self.lifecycle.pk, **parts)

    def entry_url(self, entry: HistoryEntry, action: str) -> str:
        """Return the path of an action of REST with an entry of the history."""
        parts = {"lifecycle_pk": entry.lifecycle_id, "pk": entry.pk}
        return reverse(f"history-{action}", kwargs=parts)

    @cached_property
    def history(self) -> Any:
        """The entries of the history, newest first. None if the person may not see them."""
        path = reverse("history-list", kwargs={"lifecycle_pk": self.lifecycle.pk})
        if not self.rest.allows(path, "GET"):
            return None
        return HistoryEntry.objects.filter(lifecycle=self.lifecycle).select_related("stage")

    def may(self, action: str, **body: Any) -> bool:
        """Say whether the person may do something with the lifecycle."""
        return self.rest.allows(self.url(f"conda/lifecycles-{action}"), **body)

    def happened(self, entry: HistoryEntry, back: str | None = None) -> pages.Happened:
        """Return what is shown of an entry."""
        return pages.Happened(
            number=entry.number,
            at=entry.moved_at or entry.pulp_created,
            word=word_of(entry),
            sentence=sentence_of(entry),
            href=self.place("entry", number=entry.number),
            asked_by=entry.requested_by,
            reason=entry.reason,
            answers=answers_of(entry),
            overrides=overrides_of(entry),
            back=back,
        )

    def asked(self, stage: CondaStage) -> pages.Asked | None:
        """Return what the gates of a stage said last, unless something else happened since."""
        if self.history is None:
            return None
        entry = self.history.filter(stage=stage).first()
        if entry is None or entry.outcome != EntryOutcome.BLOCKED:
            return None
        return pages.Asked(
            state=entry.label,
            at=entry.pulp_last_updated,
            gates=gates_of(entry.report),
            href=self.place("entry", number=entry.number),
        )

    def changes_href(self, stage: CondaStage, base: str | None, target: str) -> str | None:
        """Return the page of the channel of a stage with all that differs between two states."""
        if base is None:
            return None
        query = query_string(**{"from": base}, to=target)
        return f"{stage.distribution.url}/{layout.page_path(PageKind.CHANGES)}?{query}"


class BoardPage(_OfLifecycle):
    """The board of a lifecycle."""

    def get(self, request: HttpRequest, lifecycle: UUID) -> HttpResponse:
        stages = self.stages
        can_promote = self.may("promote", stage=stages[1].name) if len(stages) > 1 else False
        can_roll_back = self.may("rollback", stage=stages[0].name)
        waiting = self._waiting()
        columns = [self._column(stage, waiting, can_promote, can_roll_back) for stage in stages]
        hints = [] if can_promote else [f"You may look. {_PROMOTING}"]
        if can_promote and not can_roll_back:
            hints.append(_ROLLING_BACK)
        board = pages.Board(
            about=self.lifecycle.repository.description or "",
            columns=columns,
            hints=hints,
            **self._history(can_roll_back),
        )
        return self.html(pages.render_board(self.desk(self.lifecycle), board))

    def _waiting(self) -> list[HistoryEntry]:
        if self.history is None:
            return []
        return list(self.history.filter(outcome=EntryOutcome.WAITING)[:_ENTRIES_SHOWN])

    def _column(
        self,
        stage: CondaStage,
        waiting: list[HistoryEntry],
        can_promote: bool,
        can_roll_back: bool,
    ) -> pages.Column:
        before = self.stages[stage.position - 1] if stage.position else None
        current, source = stage.current, before.current if before else None
        waits = None
        if source and (current is None or source.publication_id != current.publication_id):
            waits = source.label
        requests = [self._request(entry) for entry in waiting if entry.stage_id == stage.pk]
        publication = stage.publication
        return pages.Column(
            name=stage.name,
            href=f"{stage.distribution.url}/",
            before=before.name if before else None,
            state=current.label if current else None,
            since=current.moved_at if current else None,
            files=sum(publication.package_counts.values()) if publication else 0,
            waits=waits,
            behind=None,
            asked=self.asked(stage) if waits and not requests else None,
            requests=requests,
            gates=[gate["name"] for gate in stage.gates],
            promote=self.place("promote", stage=stage.name) if waits and can_promote else None,
            roll_back=self.place("rollback", stage=stage.name)
            if can_roll_back and stage.find_earlier()
            else None,
        )

    def _request(self, entry: HistoryEntry) -> pages.Request:
        is_own = entry.requester_id == self.request.user.pk
        places = {
            action: self.place(action, number=entry.number)
            if not is_own and self.rest.allows(self.entry_url(entry, action))
            else None
            for action in ("approve", "reject")
        }
        why_not = "" if any(places.values()) else _ANSWERING
        return pages.Request(
            entry=self.happened(entry),
            state=entry.label,
            gates=gates_of(entry.report),
            why_not=_OWN if is_own else why_not,
            **places,
        )

    def _history(self, can_roll_back: bool) -> dict[str, Any]:
        """Return the part of the history that the query chooses."""
        if self.history is None:
            return {"history": None}
        wanted = self.request.GET.get("stage", "")
        stage = next((stage for stage in self.stages if stage.name == wanted), None)
        entries = self.history.filter(stage=stage) if stage else self.history
        before = self.request.GET.get("before", "")
        is_later = before.isascii() and before.isdecimal() and len(before) < 10
        if is_later:
            entries = entries.filter(number__lt=int(before))
        shown = list(entries.select_related("publication")[: _ENTRIES_SHOWN + 1])
        older = None
        if len(shown) > _ENTRIES_SHOWN:
            shown.pop()
            older = query_string(stage=stage and stage.name, before=shown[-1].number)
        backs = _Backs(self.stages) if can_roll_back else None
        history = [
            self.happened(
                entry,
                f"{self.place('rollback', stage=entry.stage.name)}?entry={entry.number}"
                if backs and backs.lead_to(entry)
                else None,
            )
            for entry in shown
        ]
        return {
            "history": history,
            "stage": stage.name if stage else "",
            "newer": is_later,
            "older": older,
        }


_OWN = "You asked for this, so somebody else has to answer."


class _Backs:
    """To which entries of the history their stages can be rolled back."""

    def __init__(self, stages: list[CondaStage]) -> None:
        self._barriers = {stage.pk: stage.barrier for stage in stages}
        self._current = {
            stage.pk: stage.current.publication_id if stage.current else None for stage in stages
        }

    def lead_to(self, entry: HistoryEntry) -> bool:
        """Say whether a rollback can lead to an entry, and would change something."""
        barrier = self._barriers.get(entry.stage_id)
        return (
            entry.moved_at is not None
            and entry.publication_id is not None
            and entry.publication_id != self._current.get(entry.stage_id)
            and (barrier is None or entry.moved_at >= barrier.moved_at)
        )


class _Confirmed(_OfLifecycle):
    """A page that shows what would happen, and makes it happen by POST."""

    http_method_names: ClassVar[list[str]] = ["get", "head", "post"]

    def typed_reason(self) -> dict[str, str]:
        """Return the reason as a part of the body for REST, which takes none for no reason."""
        reason = self.request.POST.get("reason", "")
        return {"reason": reason} if reason.strip() else {}

    def typed_overrides(self) -> dict[str, str]:
        """Return the gates to pass, each with the reason that was typed for it."""
        return {
            name.removeprefix(_OVERRIDE): text
            for name, text in self.request.POST.items()
            if name.startswith(_OVERRIDE) and text.strip()
        }

    def refused(self, answer: Response, needs: str) -> tuple[list[str], int]:
        """Return what to say of an answer of REST that is no success, and with which status."""
        said = sentences(answer)
        return (said if answer.status_code != 403 else [needs]), answer.status_code

    def follow(self, answer: Response) -> HttpResponse:
        """Return the way to the page of the task that REST dispatched."""
        task = answer.data["task"].rstrip("/").rpartition("/")[2]
        return HttpResponseRedirect(self.place("task", task=task))

    def show(self, page: pages.Confirmation, status: int = 200) -> HttpResponse:
        """Return the page."""
        return self.html(pages.render_confirmation(self.desk(self.lifecycle), page), status)

    def compare(
        self, stage: CondaStage, base: str, target: str, labels: tuple[str, str]
    ) -> tuple[pages.Difference | None, list[str]]:
        """Return what differs between two states, or sentences of why nobody knows."""
        path = self.url("conda/lifecycles-diff")
        answer = self.rest.get(path, base=base, target=target, limit=_NAMES_SHOWN)
        if answer.status_code != 200:
            return None, sentences(answer)
        href = self.changes_href(stage, base, target)
        return difference_of_answer(answer.data, *labels, href), []


class _OfStage(_Confirmed):
    """A page that moves a stage."""

    @cached_property
    def stage(self) -> CondaStage:
        name = self.parts["stage"]
        stage = next((stage for stage in self.stages if stage.name == name), None)
        if stage is None:
            raise Http404()
        return stage

    def seen(self, *stages: CondaStage) -> str:
        """Return in which states stages are, to send it with a form."""
        numbers = (stage.current.number if stage.current else 0 for stage in stages)
        return "-".join(map(str, numbers))

    def check_seen(self, *stages: CondaStage) -> str:
        """Return why a form is about states that are not there any more, or an empty text."""
        if self.request.POST.get("seen") == self.seen(*stages):
            return ""
        states = ", ".join(
            f"{stage.name} at {stage.current.label if stage.current else 'nothing'}"
            for stage in stages
        )
        return str(StageMoved(states=states))


class PromotePage(_OfStage):
    """Promote to a stage what the stage before it serves."""

    @cached_property
    def source(self) -> CondaStage:
        if not self.stage.position:
            raise Http404()
        return self.stages[self.stage.position - 1]

    def get(self, request: HttpRequest, **parts: Any) -> HttpResponse:
        return self._page()

    def post(self, request: HttpRequest, **parts: Any) -> HttpResponse:
        if moved := self.check_seen(self.source, self.stage):
            return self._page([moved], 409)
        answer = self.rest.post(
            self.url("conda/lifecycles-promote"),
            stage=self.stage.name,
            **self.typed_reason(),
            overrides=self.typed_overrides(),
            dry_run=request.POST.get("dry_run") == "true",
            # What was seen, whatever the source serves when the task runs.
            **({"state": self.source.current.label} if self.source.current else {}),
        )
        if answer.status_code != 202:
            return self._page(*self.refused(answer, _PROMOTING))
        return self.follow(answer)

    def _page(self, problems: list[str] | None = None, status: int = 200) -> HttpResponse:
        stage, source = self.stage, self.source
        current, origin = stage.current, source.current
        notes, form, difference = [], None, None
        problems = problems or []
        if origin is None:
            title = f"Promote to {stage.name}"
            notes.append(f"{source.name} serves nothing yet, so there is nothing to promote.")
        else:
            title = f"Promote {origin.label} to {stage.name}"
            if current is None:
                notes.append(f"{stage.name} serves nothing yet. All of {origin.label} comes to it.")
            elif current.publication_id == origin.publication_id:
                notes.append(f"{stage.name} serves {origin.label} already.")
            else:
                notes.append(
                    f"{stage.name} serves {current.label}, and {source.name} serves {origin.label}."
                )
                labels = current.label, origin.label
                difference, why = self.compare(stage, stage.name, source.name, labels)
                problems = [*problems, *why]
            if not self.may("promote", stage=stage.name):
                notes.append(_PROMOTING)
            elif current is None or current.publication_id != origin.publication_id:
                form = self._form(title)
        asked = self.asked(stage)
        page = pages.Confirmation(
            title=title,
            notes=notes,
            problems=problems,
            difference=difference,
            asked=asked if asked and origin and asked.state == origin.label else None,
            gates=[gate["name"] for gate in stage.gates],
            form=form,
        )
        return self.show(page, status)

    def _form(self, title: str) -> pages.Form:
        stage = self.stage
        typed = self.typed_overrides()
        gates = [gate["name"] for gate in stage.gates]
        may_override = bool(gates) and self.may(
            "promote", stage=stage.name, overrides={gates[0]: "-"}
        )
        return pages.Form(
            button=title,
            trial="Dry run: only ask the gates",
            hidden={"seen": self.seen(self.source, stage)},
            overrides={name: typed.get(name, "") for name in gates} if may_override else {},
            reason=self.request.POST.get("reason", ""),
        )


class RollBackPage(_OfStage):
    """Roll a stage back to a state that it served before."""

    def get(self, request: HttpRequest, **parts: Any) -> HttpResponse:
        return self._page(request.GET.get("entry", ""))

    def post(self, request: HttpRequest, **parts: Any) -> HttpResponse:
        number = request.POST.get("entry", "")
        if moved := self.check_seen(self.stage):
            return self._page(number, [moved], 409)
        answer = self.rest.post(
            self.url("conda/lifecycles-rollback"),
            stage=self.stage.name,
            **self.typed_reason(),
            dry_run=request.POST.get("dry_run") == "true",
            **({"entry": number} if number else {}),
        )
        if answer.status_code != 202:
            return self._page(number, *self.refused(answer, _ROLLING_BACK))
        return self.follow(answer)

    def _page(
        self, number: str, problems: list[str] | None = None, status: int = 200
    ) -> HttpResponse:
        stage, problems = self.stage, problems or []
        points = self._points()
        current, entry = stage.current, self._chosen(number)
        notes, form, difference = [], None, None
        if entry is None or current is None:
            title = f"Roll {stage.name} back"
            notes.append(
                "This is no state that the stage can go back to."
                if number
                else f"{stage.name} has no earlier state that is kept."
            )
        else:
            title = f"Roll {stage.name} back to {entry.label}"
            notes.append(
                f"{stage.name} serves {current.label}. Entry #{entry.number} of the history "
                f"brought {entry.label}. No gate is asked."
            )
            target = f"{stage.name}/at/{entry.label}"
            labels = current.label, entry.label
            difference, why = self.compare(stage, stage.name, target, labels)
            problems = [*problems, *why]
            if self.may("rollback", stage=stage.name):
                form = pages.Form(
                    button=title,
                    is_danger=True,
                    trial="Dry run: only look",
                    hidden={"seen": self.seen(stage), "entry": str(entry.number)},
                    reason=self.request.POST.get("reason", ""),
                )
            else:
                notes.append(_ROLLING_BACK)
        here = self.place("rollback", stage=stage.name)
        page = pages.Confirmation(
            title=title,
            notes=notes,
            problems=problems,
            difference=difference,
            points=[
                (point.label, point.moved_at, f"{here}?entry={point.number}")
                for point in points
                if entry is None or point.pk != entry.pk
            ],
            form=form,
        )
        return self.show(page, status)

    def _points(self) -> list[HistoryEntry]:
        """Return entries to which the stage can be rolled back, newest first."""
        if self.history is None:
            return []
        backs = _Backs([self.stage])
        states = self.stage.states.defer("report")[: 10 * _POINTS_SHOWN]
        return [entry for entry in states if backs.lead_to(entry)][:_POINTS_SHOWN]

    def _chosen(self, number: str) -> HistoryEntry | None:
        if not number:
            return self.stage.find_earlier()
        if not (number.isascii() and number.isdecimal() and len(number) < 10):
            return None
        entry = self.stage.states.filter(number=int(number)).first()
        return entry if entry and _Backs([self.stage]).lead_to(entry) else None


class _OfEntry(_Confirmed):
    """A page about one entry of the history."""

    @cached_property
    def entry(self) -> HistoryEntry:
        if self.history is None:
            raise Http404()
        entry = self.history.filter(number=min(self.parts["number"], 2**31 - 1)).first()
        if entry is None:
            raise Http404()
        return entry

    def difference(self) -> pages.Difference | None:
        """Return what the entry says of the packages."""
        entry = self.entry
        stage = next(stage for stage in self.stages if stage.pk == entry.stage_id)
        moved = entry.outcome == EntryOutcome.MOVED
        href = self.changes_href(stage, entry.before, entry.label) if moved else None
        return difference_of(entry.report, entry.before, entry.label, href)


class EntryPage(_OfEntry):
    """One entry of the history, with its whole report."""

    http_method_names: ClassVar[list[str]] = ["get", "head"]

    def get(self, request: HttpRequest, **parts: Any) -> HttpResponse:
        entry = self.entry
        page = pages.Outcome(
            title=f"Entry #{entry.number}",
            word=word_of(entry),
            notes=[f"{sentence_of(entry)}."],
            entry=self.happened(entry),
            difference=self.difference(),
            gates=gates_of(entry.report, ALL_FINDINGS),
        )
        return self.html(pages.render_outcome(self.desk(self.lifecycle), page))


class AnswerPage(_OfEntry):
    """Approve a request that waits, or reject it."""

    is_approval = True

    @property
    def _action(self) -> str:
        return "approve" if self.is_approval else "reject"

    def get(self, request: HttpRequest, **parts: Any) -> HttpResponse:
        return self._page()

    def post(self, request: HttpRequest, **parts: Any) -> HttpResponse:
        path = self.entry_url(self.entry, self._action)
        answer = self.rest.post(path, **self.typed_reason())
        if answer.status_code == 202:
            return self.follow(answer)
        if answer.status_code == 200:
            return HttpResponseRedirect(self.place("entry", number=self.entry.number))
        return self._page(*self.refused(answer, _ANSWERING))

    def _page(self, problems: list[str] | None = None, status: int = 200) -> HttpResponse:
        entry = self.entry
        verb = "Approve" if self.is_approval else "Reject"
        title = f"{verb} {entry.label} for {entry.stage.name}"
        notes, form = [f"{sentence_of(entry)}."], None
        if entry.outcome == EntryOutcome.WAITING:
            if entry.requester_id == self.request.user.pk:
                notes.append(_OWN)
            elif not self.rest.allows(self.entry_url(entry, self._action)):
                notes.append(_ANSWERING)
            else:
                form = pages.Form(
                    button=title,
                    is_danger=not self.is_approval,
                    reason=self.request.POST.get("reason", ""),
                )
        else:
            notes.append("This request is closed, so it waits for no answer.")
        page = pages.Confirmation(
            title=title,
            notes=notes,
            problems=problems or [],
            difference=self.difference(),
            request=self.happened(entry),
            asked=pages.Asked(
                state=entry.label,
                at=entry.pulp_last_updated,
                gates=gates_of(entry.report, ALL_FINDINGS),
                href=self.place("entry", number=entry.number),
            ),
            form=form,
        )
        return self.show(page, status)


class TaskPage(_OfLifecycle):
    """What came of a button: it waits until the task is done."""

    def get(self, request: HttpRequest, **parts: Any) -> HttpResponse:
        answer = self.rest.get(reverse("tasks-detail", kwargs={"pk": parts["task"]}))
        task = answer.data
        if answer.status_code != 200 or not self._is_about(task):
            raise Http404()
        is_running = task["state"] in ("waiting", "running", "canceling")
        if task["state"] == "completed" and task["result"]:
            page = self._done(task["result"])
        else:
            problem = (task["error"] or {}).get("description") or f"The task is {task['state']}."
            page = pages.Outcome(
                title="At work" if is_running else "This did not work",
                is_running=is_running,
                problems=[] if is_running else [problem],
            )
        response = self.html(pages.render_outcome(self.desk(self.lifecycle), page))
        if is_running:
            response.headers["Refresh"] = str(_AGAIN)
        return response

    def _is_about(self, task: dict[str, Any]) -> bool:
        """Say whether a task moved this lifecycle, so that its result is a report."""
        is_move = str(task["name"]).startswith("pulp_conda.app.tasks.moves.")
        return is_move and get_prn(self.lifecycle) in task["reserved_resources_record"]

    def _done(self, report: dict[str, Any]) -> pages.Outcome:
        stage, state = report["stage"], report["after"]
        outcome = MoveOutcome(report["outcome"])
        links = []
        is_move = report["kind"] == EntryKind.PROMOTED and outcome != MoveOutcome.UNCHANGED
        if report["dry_run"] and is_move:
            links.append((f"Promote {state} to {stage}…", self.place("promote", stage=stage)))
        if report["entry"]:
            links.append(("Its entry in the history", self.place("entry", number=report["entry"])))
        return pages.Outcome(
            title=f"Dry run of {state} for {stage}"
            if report["dry_run"]
            else f"{state} for {stage}",
            word="" if report["dry_run"] else outcome.value,
            notes=[sentence_of_report(report)],
            difference=difference_of(report, report["before"], state, None),
            gates=gates_of(report, ALL_FINDINGS),
            links=links,
        )
