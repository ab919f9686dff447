"""Wait for tasks as pulp-glue does, and show their progress on a terminal."""

import re
import shutil
import sys
import time
import typing as t
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial

import click
from pulp_cli.generic import ClickNoWait, PulpCLIContext
from pulp_glue.common.exceptions import PulpException, PulpNoWait
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.answers import warnings_of

translation = get_translation(__package__)
_ = translation.gettext

# In seconds. Most tasks are short. Longer tasks are asked for less often.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0

# A terminal cannot redraw lines above its first line, so the number of bars is limited.
_MOST_BARS = 10
_BAR = 24

_ABOUT_A_TASK = re.compile(r"/tasks/\S+/$|/task-groups/\S+/$")

_UNFINISHED = ("waiting", "running", "canceling")


# The command stops waiting, but the task continues. The message tells how to wait again. The exit
# codes are those of `timeout` and of programs that a shell interrupted. They are documented in
# docs/user/reference/exit-codes.md.
class TimedOut(ClickNoWait):
    exit_code = 124


class Interrupted(ClickNoWait):
    exit_code = 130


def show_progress(pulp_ctx: PulpCLIContext, verbose: bool = False) -> None:
    """Let this module wait for the tasks of a context, and keep its output apart from the bars.

    Args:
        verbose: Whether to write which tasks were started. An error names the task anyway.
    """
    pulp_ctx.echo = _echo if verbose else _echo_no_tasks  # type: ignore[method-assign]
    pulp_ctx.wait_for_task = partial(_wait_for_task, pulp_ctx)  # type: ignore[method-assign]
    pulp_ctx.wait_for_task_group = partial(  # type: ignore[method-assign]
        _wait_for_task_group, pulp_ctx
    )


class Bars(AbstractContextManager["Bars"]):
    """Progress reports of the API with one on each line. Without a terminal: a dot each second.

    A command has only one of these, because two would draw over each other. If an upload waits for
    a task, the progress of the task replaces that of the upload until the task is done.
    """

    def __init__(self) -> None:
        self.on_terminal = sys.stderr.isatty()
        self._depth = 0
        self._lines = 0
        self._dots = 0
        self._is_in_line = False
        self._started = 0.0

    def __enter__(self) -> "Bars":
        if not self._depth:
            self._dots = 0
            self._started = time.monotonic()
        self._depth += 1
        return self

    def __exit__(self, *exception: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._end_line()
            self._lines = 0

    def draw(self, reports: Sequence[dict[str, t.Any]]) -> None:
        if not self.on_terminal:
            self._dot()
            return
        width = shutil.get_terminal_size().columns - 1
        lines = [_line(report)[:width] for report in reports[-_MOST_BARS:]]
        lines += [""] * (self._lines - len(lines))
        self._erase("".join(f"\x1b[2K{line}\n" for line in lines))
        self._lines = len(lines)

    def make_room(self) -> None:
        """Prepare for other output. The next bars are drawn below it."""
        self._end_line()
        if self._lines:
            self._erase("\x1b[J")
            self._lines = 0

    def _erase(self, text: str) -> None:
        up = f"\x1b[{self._lines}F" if self._lines else ""
        click.echo(up + text, nl=False, err=True)

    def _dot(self) -> None:
        if time.monotonic() - self._started > self._dots + 1:
            self._dots += 1
            self._is_in_line = True
            click.echo(".", nl=False, err=True)

    def _end_line(self) -> None:
        if self._is_in_line:
            self._is_in_line = False
            click.echo("", err=True)


def bars() -> Bars:
    """Return the bars of the running command."""
    return t.cast(Bars, click.get_current_context().meta.setdefault(__name__, Bars()))


def _echo(*args: t.Any, **options: t.Any) -> None:
    bars().make_room()
    click.echo(*args, **options)


def _echo_no_tasks(message: str = "", *args: t.Any, **options: t.Any) -> None:
    # pulp-glue writes this to stderr for each task.
    if not (options.get("err") and _ABOUT_A_TASK.search(message)):
        _echo(message, *args, **options)


def _line(report: dict[str, t.Any]) -> str:
    done, total = report["done"], report.get("total")
    counts = f"{done:,}" if total is None else f"{done:,}/{total:,}"
    if suffix := report.get("suffix"):
        counts += f" {suffix}"
    bar = ""
    if total:
        filled = min(_BAR, _BAR * done // total)
        bar = f"[{'#' * filled}{'-' * (_BAR - filled)}]  "
    text = f"{report['message']:<40}  {bar}{counts}"
    # Parts of it come from upstreams. Control characters in them could control the terminal.
    return "".join(character if character.isprintable() else " " for character in text)


def _wait_for_task(
    pulp_ctx: PulpCLIContext, task: dict[str, t.Any], expect_cancel: bool = False
) -> t.Any:
    href = task["pulp_href"]
    task = _wait(
        pulp_ctx,
        task,
        read=partial(pulp_ctx.api.call, "tasks_read", parameters={"task_href": href}),
        is_finished=lambda task: task["state"] not in _UNFINISHED,
        reports=lambda task: task["progress_reports"],
        show=f"pulp task show --href {href}",
    )
    if task["state"] == ("canceled" if expect_cancel else "completed"):
        for warning in warnings_of(task):
            _echo(_("Warning: {warning}").format(warning=warning), err=True)
        return task
    if task["state"] == "failed":
        raise PulpException(f"{_reason(task)}\n{_more(href)}")
    reason = _("The task was canceled.") if task["state"] == "canceled" else task["state"]
    raise PulpException(f"{reason}\n{_more(href)}")


def _wait_for_task_group(pulp_ctx: PulpCLIContext, group: dict[str, t.Any]) -> t.Any:
    href = group["pulp_href"]
    read = pulp_ctx.api.call
    group = _wait(
        pulp_ctx,
        group,
        read=partial(read, "task_groups_read", parameters={"task_group_href": href}),
        is_finished=lambda group: not any(group[state] for state in _UNFINISHED),
        reports=_reports_of_group,
        show=f"pulp task-group show --href {href}",
    )
    failed = [task for task in group["tasks"] if task["state"] in ("failed", "canceled")]
    if failed:
        tasks = [read("tasks_read", parameters={"task_href": each["pulp_href"]}) for each in failed]
        raise PulpException(
            "\n".join(f"{_reason(each)}\n{_more(each['pulp_href'])}" for each in tasks)
        )
    return group


def _wait(
    pulp_ctx: PulpCLIContext,
    task: dict[str, t.Any],
    read: Callable[[], dict[str, t.Any]],
    is_finished: Callable[[dict[str, t.Any]], bool],
    reports: Callable[[dict[str, t.Any]], Sequence[dict[str, t.Any]]],
    show: str,
) -> dict[str, t.Any]:
    if pulp_ctx.background_tasks:
        raise PulpNoWait(
            _("Not waiting, because --background was given. Show it: {show}").format(show=show)
        )
    timeout = pulp_ctx.timeout.total_seconds()
    deadline = time.monotonic() + timeout if timeout else None
    pause = _FIRST_PAUSE
    try:
        with bars() as drawn:
            while not is_finished(task):
                drawn.draw(reports(task))
                if deadline and time.monotonic() > deadline:
                    reason = _(
                        "It is not done after {timeout:.0f} seconds. It continues on the server."
                    )
                    raise TimedOut(_still(reason.format(timeout=timeout), show))
                time.sleep(pause)
                pause = min(1.5 * pause, _LONGEST_PAUSE)
                task = read()
            drawn.draw(reports(task))
        return task
    except KeyboardInterrupt:
        reason = _("The command stopped waiting, but the task continues on the server.")
        raise Interrupted("\n" + _still(reason, show)) from None


def _reports_of_group(group: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    tasks = group["tasks"]
    done = sum(task["state"] not in _UNFINISHED for task in tasks)
    return [{"message": _("Tasks"), "done": done, "total": len(tasks)}]


def _reason(task: dict[str, t.Any]) -> str:
    error = task["error"] or {}
    return error.get("description") or error.get("reason") or _("The task failed.")


def _more(href: str) -> str:
    return _("Show the task: pulp task show --href {href}").format(href=href)


def _still(reason: str, show: str) -> str:
    lines = [reason, _("Show it:     {show}").format(show=show)]
    if " task show " in show:
        stop = show.replace(" show ", " cancel ")
        lines += [
            _("Wait again:  {show} --wait").format(show=show),
            _("Stop it:     {stop}").format(stop=stop),
        ]
    return "\n".join(lines)
