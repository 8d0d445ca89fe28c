"""ISO dates and date-times as spans of time."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

_FORM = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})"
    r"(?:[T ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,6}))?)?"
    r"(?P<zone>Z|[+-]\d{2}:\d{2})?)?)?)?"
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Span(NamedTuple):
    """From `first` on and before `end`, in nanoseconds since 1970."""

    first: int
    end: int


def span_of(text: str) -> Span | None:
    """The whole of the year, month, day, minute, second or microsecond that a text names; None for another text.

    Without a zone (`Z` or as `+02:00`) it is local time.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        return None
    try:
        first, end = _bounds(found)
        return Span(_nanoseconds(first, found["zone"]), _nanoseconds(end, found["zone"]))
    except (ValueError, OverflowError, OSError):
        # No such day, or a year that the clock of the system cannot count.
        return None


def _bounds(found: re.Match[str]) -> tuple[datetime, datetime]:
    year, month, day = int(found["year"]), int(found["month"] or 1), int(found["day"] or 1)
    first = datetime.combine(date(year, month, day), datetime.min.time())
    if found["month"] is None:
        return first, first.replace(year=year + 1)
    if found["day"] is None:
        return first, (first + timedelta(days=31)).replace(day=1)
    if found["hour"] is None:
        return first, first + timedelta(days=1)
    fraction = (found["fraction"] or "").ljust(6, "0")
    first = first.replace(
        hour=int(found["hour"]),
        minute=int(found["minute"]),
        second=int(found["second"] or 0),
        microsecond=int(fraction),
    )
    if found["second"] is None:
        return first, first + timedelta(minutes=1)
    whole = found["fraction"] is None
    return first, first + (
        timedelta(seconds=1) if whole else timedelta(microseconds=10 ** (6 - len(found["fraction"])))
    )


def _nanoseconds(moment: datetime, zone: str | None) -> int:
    # Without a zone astimezone takes it for local time, by the rules of that day.
    aware = moment.astimezone() if zone is None else datetime.fromisoformat(moment.isoformat() + zone)
    return (aware - EPOCH) // timedelta(microseconds=1) * 1000
