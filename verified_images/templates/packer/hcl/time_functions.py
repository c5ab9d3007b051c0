"""HCL's functions on times, all of which are texts such as 2026-05-04T03:02:01Z."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from verified_images.templates.packer.hcl.function import Function
from verified_images.templates.packer.hcl.values import HclError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"[+-]?(?:\d{1,9}(?:\.\d{1,9})?(?:ms|us|µs|ns|h|m|s))+")
_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*")
_HALF_DAY = 12
_LATEST = 253402300799  # the last second of the year 9999


def _parse(text: str) -> datetime:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", text, re.ASCII):
        raise HclError(f"{text[:50]!r} is not a time such as 2026-05-04T03:02:01Z")
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise HclError(f"{text[:50]!r} is not a time such as 2026-05-04T03:02:01Z") from error


def show(moment: datetime) -> str:
    """Return a moment as HCL's functions take it."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _add(text: str, duration: str) -> str:
    if not _DURATION.fullmatch(duration):
        raise HclError("a duration is needed, such as 90s, 20m or -1h30m")
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)", duration)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return show(_parse(text) + timedelta(seconds=-seconds if duration.startswith("-") else seconds))


def _format(layout: str, text: str) -> str:
    moment = _parse(text)

    def replaced(match: re.Match[str]) -> str:
        if match[1] is not None:
            return match[1].replace("''", "'")
        written = _written(match[0], moment)
        if written is None:
            raise HclError(f"'{match[0]}' means nothing in the layout of a date; put text into single quotes")
        return written

    return _TOKEN.sub(replaced, layout)


def _written(token: str, moment: datetime) -> str | None:
    offset = moment.strftime("%z")
    zone = f"{offset[:3]}:{offset[3:5]}"
    return {
        "YYYY": f"{moment.year:04d}",
        "YY": f"{moment.year % 100:02d}",
        "MMMM": moment.strftime("%B"),
        "MMM": moment.strftime("%b"),
        "MM": f"{moment.month:02d}",
        "M": str(moment.month),
        "DD": f"{moment.day:02d}",
        "D": str(moment.day),
        "EEEE": moment.strftime("%A"),
        "EEE": moment.strftime("%a"),
        "hh": f"{moment.hour:02d}",
        "h": str(moment.hour),
        "HH": f"{moment.hour % _HALF_DAY or _HALF_DAY:02d}",
        "H": str(moment.hour % _HALF_DAY or _HALF_DAY),
        "AA": "AM" if moment.hour < _HALF_DAY else "PM",
        "aa": "am" if moment.hour < _HALF_DAY else "pm",
        "mm": f"{moment.minute:02d}",
        "m": str(moment.minute),
        "ss": f"{moment.second:02d}",
        "s": str(moment.second),
        "ZZZZZ": zone,
        "ZZZZ": offset,
        "ZZZ": "UTC" if zone == "+00:00" else offset,
        "Z": "Z" if zone == "+00:00" else zone,
    }.get(token)


def _parts(moment: datetime) -> dict[str, Any]:
    year, week, _ = moment.isocalendar()
    return {
        "year": moment.year,
        "year_day": moment.timetuple().tm_yday,
        "day": moment.day,
        "month": moment.month,
        "month_name": moment.strftime("%B"),
        "weekday": moment.isoweekday() % 7,
        "weekday_name": moment.strftime("%A"),
        "hour": moment.hour,
        "minute": moment.minute,
        "second": moment.second,
        "iso_year": year,
        "iso_week": week,
    }


def _parse_text(text: str) -> dict[str, Any]:
    moment = _parse(text)
    return {**_parts(moment), "unix": int(moment.timestamp())}


def _parse_number(seconds: int) -> dict[str, Any]:
    if not 0 <= seconds <= _LATEST:
        raise HclError("the number of seconds is out of range")
    moment = datetime.fromtimestamp(seconds, UTC)
    return {**_parts(moment), "rfc3339": show(moment)}


FUNCTIONS: dict[str, Function] = {
    "formatdate": Function("ss", _format),
    "rfc3339_parse": Function("s", _parse_text),
    "timeadd": Function("ss", _add),
    "unix_timestamp_parse": Function("i", _parse_number),
}
"""The functions by name."""
