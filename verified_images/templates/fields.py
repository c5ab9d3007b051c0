"""The types of a template's fields: what each takes, and the sentence that says so when it is given something else."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Never

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    GetPydanticSchema,
    SecretStr,
    WithJsonSchema,
)
from pydantic_core import core_schema

from verified_images.templates.base import wrong


class FrozenDict(dict[str, Any]):
    """A mapping that nobody can change and that can be hashed, as a frozen model needs."""

    def _refuse(self, *_: object, **__: object) -> Never:
        raise TypeError("a template cannot be changed after it was loaded")

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return FrozenDict, (dict(self),)

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def reveal(text: SecretStr | str) -> str:
    """Return the text of a field that may hold a secret; use it at the last moment and never log it."""
    return text.get_secret_value() if isinstance(text, SecretStr) else text


def _text_or_secret(value: object) -> SecretStr | str:
    if isinstance(value, SecretStr | str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise wrong("text is needed here")


Text = Annotated[
    SecretStr | str,
    GetPydanticSchema(
        lambda _source, _handler: core_schema.no_info_plain_validator_function(
            _text_or_secret,
            serialization=core_schema.to_string_ser_schema(),
        ),
    ),
    WithJsonSchema({"type": "string"}),
]
"""Text that may hold a secret: a SecretStr if a secret went into it, else a str. ``reveal`` gives the text."""


def _environment(variables: Mapping[str, SecretStr | str]) -> FrozenDict:
    for name in variables:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
            raise wrong(f"{name!r} is not the name of an environment variable: letters, digits and '_' only")
    return FrozenDict(variables)


Environment = Annotated[Mapping[str, Text], AfterValidator(_environment)]
"""Environment variables; values may hold secrets."""


Texts = Annotated[
    tuple[Text, ...],
    Field(min_length=1),
    BeforeValidator(lambda value: (value,) if isinstance(value, SecretStr | str) else value),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1}),
]
"""One or more texts that may hold secrets; a list of one may be written without brackets."""


def one_of(model: BaseModel, *names: str) -> None:
    """Raise unless exactly one of the named fields is given."""
    given = [name for name in names if getattr(model, name) is not None]
    if len(given) != 1:
        found = " and ".join(f"'{name}'" for name in given) or "none"
        raise wrong(f"exactly one of {', '.join(map(repr, names))} is needed; here is {found}")


_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:[muµn]s|[dhms]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)([muµn]s|[dhms])")
_LONGEST_DURATION = 7 * 86400.0


def parse_duration(value: object) -> float:
    """Return seconds for a number of seconds or text such as "90s", "20m", "1h30m"."""
    if isinstance(value, str):
        text = value.strip().replace(" ", "")
        if _DURATION.fullmatch(text):
            value = sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text))
        elif re.fullmatch(r"\d+(\.\d+)?", text):
            value = float(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST_DURATION:
        raise wrong("a duration is needed, such as 90s, 20m or 1h30m (a bare number is seconds), at most 7d")
    return float(value)


Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": ["string", "number"], "examples": ["90s", "20m", "1h30m"]}),
]
"""A duration, in seconds in the model."""


class _Matching:
    """Lets only text pass that matches a pattern as a whole; else ``rule`` is told. Editors are told the pattern."""

    def __init__(self, pattern: str, rule: str) -> None:
        self._pattern = re.compile(pattern, re.ASCII)
        self._rule = rule

    def __get_pydantic_core_schema__(self, source: type[str], handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^(?:{self._pattern.pattern})$"}

    def _check(self, value: str) -> str:
        if not self._pattern.fullmatch(value):
            raise wrong(f"{value!r} is not allowed: {self._rule}")
        return value


# The rules are those of Azure's page "Naming rules and restrictions for Azure resources".
ResourceGroupName = Annotated[
    str,
    _Matching(
        r"[-\w.()]{0,89}[-\w()]",
        "a resource group's name has 1 to 90 letters, digits, '_', '-', '.', '(' or ')' and does not end in '.'",
    ),
]
GalleryName = Annotated[
    str,
    _Matching(
        r"[A-Za-z0-9](?:[A-Za-z0-9_.]{0,78}[A-Za-z0-9])?",
        "a gallery's name has 1 to 80 letters, digits, '_' or '.' (no '-') and begins and ends with a letter or digit",
    ),
]
DefinitionName = Annotated[
    str,
    _Matching(
        r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,78}[A-Za-z0-9])?",
        "an image definition's name has 1 to 80 letters, digits, '_', '-' or '.' and begins and ends with a letter "
        "or digit",
    ),
]
ImageName = Annotated[
    str,
    _Matching(
        r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,78}[A-Za-z0-9_])?",
        "an image's name has 1 to 80 letters, digits, '_', '-' or '.', begins with a letter or digit and ends with "
        "a letter, digit or '_'",
    ),
]
SnapshotPrefix = Annotated[
    str,
    _Matching(
        r"[A-Za-z0-9][-A-Za-z0-9_.]{0,77}",
        "the beginning of a snapshot's name has 1 to 78 letters, digits, '_', '-' or '.', and begins with a letter or "
        "digit",
    ),
]
SnapshotName = Annotated[
    str,
    _Matching(
        r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,78}[A-Za-z0-9_])?",
        "a snapshot's name has 1 to 80 letters, digits, '_', '-' or '.', begins with a letter or digit and ends with "
        "a letter, digit or '_'",
    ),
]
StorageAccountName = Annotated[
    str,
    _Matching(r"[a-z0-9]{3,24}", "a storage account's name has 3 to 24 lower-case letters and digits"),
]
ContainerName = Annotated[
    str,
    _Matching(
        r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*",
        "a container's name has 3 to 63 lower-case letters, digits and single '-', and begins and ends with a letter "
        "or digit",
    ),
]
SubscriptionId = Annotated[
    str,
    _Matching(
        r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        "a subscription is named by its id, such as 00000000-0000-0000-0000-000000000000",
    ),
]
VmSize = Annotated[
    str,
    _Matching(r"[A-Za-z0-9_-]{1,64}", "a VM size looks like Standard_B2s"),
]
Zone = Annotated[str, _Matching(r"[1-9]", "an availability zone is a number, such as 1")]
_WORD = _Matching(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,127}", "letters, digits, '-', '_' and '.' only")
MarketplaceName = Annotated[str, _WORD]
"""A publisher, offer, SKU or plan of the Azure Marketplace."""


def _location(value: str) -> str:
    location = value.replace(" ", "").lower()
    if not re.fullmatch(r"[a-z][a-z0-9]{1,49}", location, re.ASCII):
        raise wrong(f"{value!r} is not an Azure location; they look like westeurope")
    return location


Location = Annotated[str, AfterValidator(_location)]
"""An Azure location by its name; a display name ("West Europe") is turned into it."""

_LARGEST_VERSION_PART = 2**31 - 1


def is_version(value: str) -> bool:
    """Tell whether ``value`` is X.Y.Z with 32-bit numbers, the only form that a gallery takes."""
    parts = value.split(".")
    return len(parts) == 3 and all(  # noqa: PLR2004 - X, Y and Z
        re.fullmatch(r"0|[1-9]\d{0,9}", part, re.ASCII) and int(part) <= _LARGEST_VERSION_PART for part in parts
    )


def _target_version(value: str) -> str:
    if value != "auto" and not is_version(value):
        raise wrong(f"{value!r} is not a version: write X.Y.Z (three whole numbers) or auto")
    return value


def _source_version(value: str) -> str:
    # Less strict than a target's: Marketplace versions have leading zeros.
    if value != "latest" and not re.fullmatch(r"\d+\.\d+\.\d+", value, re.ASCII):
        raise wrong(f"{value!r} is not a version: write X.Y.Z (three whole numbers) or latest")
    return value


SourceVersion = Annotated[str, AfterValidator(_source_version)]
TargetVersion = Annotated[str, AfterValidator(_target_version)]


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value.strip(), strict=False))
    except ValueError as error:
        raise wrong(f"{value!r} is not an IP address or a range such as 203.0.113.0/24") from error


AddressRange = Annotated[str, AfterValidator(_network)]
"""An IPv4 or IPv6 address or network, in CIDR notation in the model."""


def _moment(value: object) -> object:
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip(), re.ASCII):
            value = datetime.combine(date.fromisoformat(value.strip()), time(), UTC)
        elif isinstance(value, str):
            value = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise wrong("a date is needed, such as 2027-01-31 or 2027-01-31T12:00:00Z") from error
    if not isinstance(value, datetime):
        raise wrong("a date is needed, such as 2027-01-31 or 2027-01-31T12:00:00Z")
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "examples": ["2027-01-31", "2027-01-31T12:00:00Z"]}),
]
"""A point in time; without a zone it is UTC."""
