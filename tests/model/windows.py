"""Windows of budgets: time cut by a calendar or into steps, in a zone. `None` is the bound of a window that has none."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

Window = tuple[datetime | None, datetime | None]


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(timezone.utc)


def window_at(every: str | None, zone_name: str, at: datetime) -> Window:
    """The window that holds `at`. The zones of this test are whole hours from UTC, and no midnight is skipped."""
    zone = ZoneInfo(zone_name)
    midnight = at.astimezone(zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    match every:
        case None:
            return None, None
        case "minute":
            start = at.replace(second=0, microsecond=0)
            return start, start + timedelta(minutes=1)
        case "hour":
            start = at.replace(minute=0, second=0, microsecond=0)
            return start, start + timedelta(hours=1)
        case "5 hours":
            first, step = _utc(datetime(1970, 1, 1), zone), timedelta(hours=5)
            start = first + (at - first) // step * step
            return start, start + step
        case "day":
            begin, end = midnight, midnight + timedelta(days=1)
        case "week":
            begin = midnight - timedelta(days=midnight.weekday())
            end = begin + timedelta(days=7)
        case "month":
            begin = midnight.replace(day=1)
            end = (begin + timedelta(days=32)).replace(day=1)
        case _:
            raise ValueError(every)
    return _utc(begin, zone), _utc(end, zone)
