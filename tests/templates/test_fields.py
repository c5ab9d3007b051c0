"""The types of fields: what each takes, and what it becomes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from verified_images.templates import fields
from verified_images.templates.fields import FrozenDict, is_version, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("20m", 1200), ("1h30m", 5400), ("1h 30m", 5400), ("1.5h", 5400), ("500ms", 0.5), ("2d", 172800),
     ("45", 45), ("0", 0), (45, 45), (1.5, 1.5)],
)  # fmt: skip
def test_durations(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "m", "-5s", "1h30", "8d", "1e9", True, None, [], float("nan")])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(PydanticCustomError, match="a duration is needed"):
        parse_duration(text)


@pytest.mark.parametrize("version", ["0.0.0", "1.2.3", "2147483647.0.10"])
def test_versions(version: str) -> None:
    assert is_version(version)


@pytest.mark.parametrize("version", ["", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.x", "01.2.3", "2147483648.0.0", "1.2.٣"])
def test_what_is_no_version(version: str) -> None:
    assert not is_version(version)


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (fields.ResourceGroupName, ["a", "A_b-c.(d)", "x" * 90], ["", "a.", "x" * 91, "a b", "é"]),
        (fields.GalleryName, ["a", "my_gallery.1", "x" * 80], ["", "my-gallery", "_a", "a.", "x" * 81]),
        (fields.DefinitionName, ["a", "debian-nginx_1.0"], ["", "-a", "a-", "x" * 81]),
        (fields.ImageName, ["a", "a_", "debian-nginx"], ["", "a-", "_a", "x" * 81]),
        (fields.VmSize, ["Standard_B2s", "Standard_DC2as_v5"], ["", "Standard B2s"]),
        (fields.SubscriptionId, ["00000000-0000-0000-0000-000000000000"], ["my subscription", "0" * 32]),
        (fields.SourceVersion, ["latest", "1.2.3", "22.04.202401010", "12.0.01"], ["auto", "1.2"]),
        (fields.TargetVersion, ["auto", "1.2.3"], ["latest", "1.2"]),
    ],
)
def test_names_of_azure(annotation: Any, good: list[str], bad: list[str]) -> None:  # noqa: ANN401 - any type form
    adapter: TypeAdapter[str] = TypeAdapter(annotation)
    assert [adapter.validate_python(name) for name in good] == good
    for name in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(name)


def test_a_location_may_be_written_as_the_portal_shows_it() -> None:
    adapter: TypeAdapter[str] = TypeAdapter(fields.Location)
    assert adapter.validate_python("West Europe") == "westeurope"
    with pytest.raises(ValidationError):
        adapter.validate_python("west-europe")


@pytest.mark.parametrize(
    ("text", "network"),
    [("203.0.113.7", "203.0.113.7/32"), ("10.1.2.3/8", "10.0.0.0/8"), ("2001:db8::1", "2001:db8::1/128")],
)
def test_addresses_become_networks(text: str, network: str) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(fields.AddressRange)
    assert adapter.validate_python(text) == network


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00:00", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31T12:00:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
        (datetime(2027, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))), datetime(2027, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_moments_are_in_utc(value: object, moment: datetime) -> None:
    adapter: TypeAdapter[datetime] = TypeAdapter(fields.Moment)
    assert adapter.validate_python(value) == moment
    assert adapter.validate_python(value).tzinfo == UTC


@pytest.mark.parametrize("value", ["2027-02-30", "tomorrow", "31.1.2027", 5, None])
def test_what_is_no_moment(value: object) -> None:
    adapter: TypeAdapter[datetime] = TypeAdapter(fields.Moment)
    with pytest.raises(ValidationError, match="a date is needed"):
        adapter.validate_python(value)


def test_a_secret_in_a_text_field_stays_one() -> None:
    adapter: TypeAdapter[SecretStr | str] = TypeAdapter(fields.Text)
    assert adapter.validate_python("a") == "a"
    assert adapter.validate_python(SecretStr("a")) == SecretStr("a")
    assert adapter.validate_python(8080) == "8080"


def test_a_frozen_mapping_equals_and_hashes_by_its_items() -> None:
    assert FrozenDict(a=1, b=2) == {"b": 2, "a": 1}
    assert hash(FrozenDict(a=1, b=2)) == hash(FrozenDict(b=2, a=1))
    for name, arguments in {"update": ({"a": 2},), "pop": ("a",), "clear": (), "setdefault": ("c", 1)}.items():
        with pytest.raises(TypeError, match="cannot be changed"):
            getattr(FrozenDict(a=1), name)(*arguments)
