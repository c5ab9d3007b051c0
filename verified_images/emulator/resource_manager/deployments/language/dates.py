"""Functions on dates. Source: Azure Resource Manager, "Date functions for ARM templates"."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from verified_images.emulator.resource_manager.deployments.language.registry import declare, refuse

_DURATION = re.compile(
    r"(?P<sign>-?)P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_PARTS = re.compile(r"yyyy|yy|MMMM|MMM|MM|M|dddd|ddd|dd|d|HH|H|hh|h|mm|m|ss|s|f+|F+|tt|zzz|K|'[^']*'|\\.|.")
_STYLES = {
    "": "yyyyMMddTHHmmssZ",
    "u": "yyyy-MM-dd HH:mm:ssZ",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffZ",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffZ",
    "d": "MM/dd/yyyy",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
}
_DIRECTIVES = {
    "yyyy": "%Y",
    "yy": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "dddd": "%A",
    "ddd": "%a",
    "dd": "%d",
    "HH": "%H",
    "hh": "%I",
    "mm": "%M",
    "ss": "%S",
    "tt": "%p",
}
_SHORT = {"M": "%m", "d": "%d", "H": "%H", "h": "%I", "m": "%M", "s": "%S"}


def format_date(moment: datetime, style: str) -> str:
    """Write a date in one of .NET's formats. Source: .NET, "Custom date and time format strings"."""
    return "".join(_write(moment, part) for part in _PARTS.findall(_STYLES.get(style, style)))


def _write(moment: datetime, part: str) -> str:
    if part in _DIRECTIVES:
        return moment.strftime(_DIRECTIVES[part])
    if part in _SHORT:
        return moment.strftime(_SHORT[part]).lstrip("0") or "0"
    if set(part) <= {"f"} or set(part) <= {"F"}:
        return f"{moment.microsecond:06d}0"[: len(part)]
    if part in {"K", "zzz"}:
        return "Z" if part == "K" else "+00:00"
    return part.strip("'") if part.startswith("'") else part.removeprefix("\\")


def _parse(name: str, text: str) -> datetime:
    for style in ("%Y%m%dT%H%M%SZ", "%Y-%m-%d %H:%M:%SZ", "%m/%d/%Y"):
        try:
            return datetime.strptime(text, style).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError as error:
        raise refuse(name, f"the value '{text}' is not a date") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _add(base: str, duration: str, style: str = "u") -> str:
    match = _DURATION.fullmatch(duration)
    if not match or duration.strip("-") in {"P", "PT"}:
        raise refuse("dateTimeAdd", f"the value '{duration}' is not a duration of ISO 8601")
    amounts = {key: float(value) for key, value in match.groupdict().items() if key != "sign" and value}
    days = amounts.pop("years", 0) * 365 + amounts.pop("months", 0) * 30 + amounts.pop("days", 0)
    change = timedelta(days=days, **amounts)
    return format_date(_parse("dateTimeAdd", base) + (-change if match["sign"] else change), style)


def _to_epoch(text: str) -> int:
    return int(_parse("dateTimeToEpoch", text).timestamp())


def _from_epoch(seconds: int) -> str:
    return format_date(datetime.fromtimestamp(seconds, UTC), "yyyy-MM-ddTHH:mm:ssZ")


FUNCTIONS = declare({"dateTimeAdd": _add, "dateTimeFromEpoch": _from_epoch, "dateTimeToEpoch": _to_epoch})
