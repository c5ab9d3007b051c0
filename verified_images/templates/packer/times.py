"""Times in the forms in which Packer templates ask for them: Go's reference time, and strftime.

The layouts are those of the Go documentation's package "time", section "Constants".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_HALF_DAY = 12

# The first alternative that fits wins, as in Go; "Jan" before a lower-case letter is text.
_GO_LAYOUT = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|002|01|02|03|04|05|06|15|__2|_2006|_2|"
    r"Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00|-0700|-07|PM|pm|[.,](?:0+|9+)(?!\d)|1|2|3|4|5"
)


def _twelve(moment: datetime) -> int:
    return moment.hour % _HALF_DAY or _HALF_DAY


_GO: dict[str, Callable[[datetime], str]] = {
    "January": lambda moment: moment.strftime("%B"),
    "Jan": lambda moment: moment.strftime("%b"),
    "Monday": lambda moment: moment.strftime("%A"),
    "Mon": lambda moment: moment.strftime("%a"),
    "MST": lambda _: "UTC",
    "2006": lambda moment: f"{moment.year:04d}",
    "_2006": lambda moment: f"_{moment.year:04d}",
    "06": lambda moment: f"{moment.year % 100:02d}",
    "01": lambda moment: f"{moment.month:02d}",
    "1": lambda moment: str(moment.month),
    "02": lambda moment: f"{moment.day:02d}",
    "_2": lambda moment: f"{moment.day:2d}",
    "2": lambda moment: str(moment.day),
    "002": lambda moment: f"{moment.timetuple().tm_yday:03d}",
    "__2": lambda moment: f"{moment.timetuple().tm_yday:3d}",
    "15": lambda moment: f"{moment.hour:02d}",
    "03": lambda moment: f"{_twelve(moment):02d}",
    "3": lambda moment: str(_twelve(moment)),
    "04": lambda moment: f"{moment.minute:02d}",
    "4": lambda moment: str(moment.minute),
    "05": lambda moment: f"{moment.second:02d}",
    "5": lambda moment: str(moment.second),
    "PM": lambda moment: "PM" if moment.hour >= _HALF_DAY else "AM",
    "pm": lambda moment: "pm" if moment.hour >= _HALF_DAY else "am",
    "-07": lambda _: "+00",
    "-0700": lambda _: "+0000",
    "-07:00": lambda _: "+00:00",
    "-070000": lambda _: "+000000",
    "-07:00:00": lambda _: "+00:00:00",
}
RFC3339 = "2006-01-02T15:04:05Z07:00"
"""The layout of isotime without an argument."""


def format_go_time(moment: datetime, layout: str) -> str:
    """Return ``moment``, which is in UTC, in a layout that shows Go's reference time (2006-01-02 15:04:05)."""

    def replaced(match: re.Match[str]) -> str:
        token = match[0]
        if token in _GO:
            return _GO[token](moment)
        if token[0] == "Z":
            return "Z"
        digits = f"{moment.microsecond:06d}".ljust(len(token) - 1, "0")[: len(token) - 1]
        if token[1] == "9":
            digits = digits.rstrip("0")
            return token[0] + digits if digits else ""
        return token[0] + digits

    return _GO_LAYOUT.sub(replaced, layout)


_STRFTIME = re.compile(r"%[aAbBcdHIjmMpSwyYfL%]")


def format_strftime(moment: datetime, layout: str) -> str:
    """Return ``moment`` as strftime writes it; what is not a directive of it stays as it is."""

    def replaced(match: re.Match[str]) -> str:
        match match[0]:
            case "%f":
                return f".{moment.microsecond:06d}".rstrip("0").rstrip(".") or ".0"
            case "%L":
                return f".{moment.microsecond // 1000:03d}"
            case directive:
                return moment.strftime(directive)

    return _STRFTIME.sub(replaced, layout)
