"""When something happens again and again: after an interval, or at the times of a cron line.

A cron line has the five fields of crontab(5), and is read in a time zone of the IANA database. As
Debian's cron does, a time that a change of the clocks leaves out happens right after the change,
and a time that comes twice happens once; lines that begin with `*` follow the clock as it runs.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from pulp_conda.channel.errors import BadTimetable, shown

# In seconds: a minute, as in cron lines, and a year.
SHORTEST = 60
LONGEST = 366 * 24 * 60 * 60

_LONGEST_TEXT = 200
_FIELDS = 5


@dataclass(frozen=True)
class Timetable:
    """The times of something that is repeated. Make one with `check_timetable`.

    Attributes:
        interval: Seconds from one time to the next, or None if there is a cron line.
        cron: A cron line, or empty.
        time_zone: The zone of the cron line, for example `Europe/Berlin`.
    """

    interval: int | None
    cron: str
    time_zone: str

    def first(self, now: datetime) -> datetime:
        """Return the first time: now for an interval, else the next time of the cron line."""
        return now if self.interval else self.after(now, now)

    def after(self, previous: datetime, now: datetime) -> datetime:
        """Return the first time after now, in UTC.

        Args:
            previous: A time of this timetable, from which intervals are counted. So a task that
                begins late does not shift all later ones.
        """
        if self.interval:
            step = timedelta(seconds=self.interval)
            return previous + ((now - previous) // step + 1) * step
        moments = CronSim(self.cron, now.astimezone(ZoneInfo(self.time_zone)))
        # In the second one of two equal hours, the times of the first one come first.
        return next(utc for moment in moments if (utc := moment.astimezone(UTC)) > now)


def check_timetable(interval: int | None, cron: str, time_zone: str, now: datetime) -> Timetable:
    """Return a timetable that has a next time.

    Raises:
        BadTimetable: it has none, or more than one kind of times, or cannot be read.
    """
    if (interval is None) == (not cron):
        both, none = (
            "it has both an interval and a cron line",
            "it has no interval and no cron line",
        )
        raise BadTimetable(reason=both if cron else none)
    if interval is not None and not SHORTEST <= interval <= LONGEST:
        raise BadTimetable(
            reason=f"an interval is between {SHORTEST} and {LONGEST} seconds, not {interval}"
        )
    _check_zone(time_zone)
    timetable = Timetable(interval, " ".join(cron[: _LONGEST_TEXT + 1].split()), time_zone)
    if cron:
        try:
            if len(cron) > _LONGEST_TEXT:
                raise CronSimError(f"it has more than {_LONGEST_TEXT} characters")
            if len(cron.split()) != _FIELDS:
                raise CronSimError(f"it has to have {_FIELDS} fields")
            timetable.after(now, now)
        except CronSimError as error:
            reason = str(error)[:1].lower() + str(error)[1:]
            raise BadTimetable(reason=f"cron line '{shown(cron)}': {reason}") from None
        except StopIteration:
            reason = f"cron line '{shown(cron)}' names no day that comes"
            raise BadTimetable(reason=reason) from None
    return timetable


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadTimetable(reason=f"there is no time zone '{shown(name)}'") from None
