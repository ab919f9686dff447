"""When something happens again and again: after an interval, at the times of a cron line, or when
somebody asks for it and it is older than some age.

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
        interval: Seconds from one time to the next, or None.
        cron: A cron line, or empty.
        time_zone: The zone of the cron line, for example `Europe/Berlin`.
        max_age: Seconds after which it is due when somebody asks, or None.
    """

    interval: int | None
    cron: str
    time_zone: str
    max_age: int | None = None

    def first(self, now: datetime) -> datetime:
        """Return the first time: the next one of a cron line, else now."""
        return self.after(now, now) if self.cron else now

    def after(self, previous: datetime, now: datetime) -> datetime:
        """Return the first time after now, in UTC.

        Args:
            previous: A time of this timetable, from which intervals are counted. So a task that
                begins late does not shift all later ones.
        """
        if self.max_age:
            return now + timedelta(seconds=self.max_age)
        if self.interval:
            step = timedelta(seconds=self.interval)
            return previous + ((now - previous) // step + 1) * step
        moments = CronSim(self.cron, now.astimezone(ZoneInfo(self.time_zone)))
        # In the second one of two equal hours, the times of the first one come first.
        return next(utc for moment in moments if (utc := moment.astimezone(UTC)) > now)


def check_timetable(
    interval: int | None, cron: str, time_zone: str, now: datetime, max_age: int | None = None
) -> Timetable:
    """Return a timetable that has a next time.

    Raises:
        BadTimetable: it has none, or more than one kind of times, or cannot be read.
    """
    kinds = {"an interval": interval, "a cron line": cron or None, "an age": max_age}
    given = [kind for kind, value in kinds.items() if value is not None]
    if len(given) != 1:
        reason = f"it has both {' and '.join(given)}" if given else "it has no times"
        raise BadTimetable(reason=reason)
    seconds = interval if max_age is None else max_age
    if seconds is not None and not SHORTEST <= seconds <= LONGEST:
        reason = f"{given[0]} is between {SHORTEST} and {LONGEST} seconds, not {seconds}"
        raise BadTimetable(reason=reason)
    _check_zone(time_zone)
    stored_cron = " ".join(cron[: _LONGEST_TEXT + 1].split())
    timetable = Timetable(interval, stored_cron, time_zone, max_age)
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
