"""Names and tags obey Azure's rules, whatever a spec is called, and all carry the run's id."""

from __future__ import annotations

import dataclasses
import getpass
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verified_images.naming import Run, clean_name, format_time, new_run, parse_time

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
RUN = Run("abcd2345", "debian-nginx", "ann", NOW, NOW + timedelta(hours=8))

# Azure's page "Naming rules and restrictions for Azure resources", for Linux machines.
RULES = {
    "resource_group": r"(?=.{1,90}$)[-\w.()]*[-\w()]",
    "virtual_machine": r"(?=.{1,64}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    "os_disk": r"(?=.{1,80}$)\w([-\w.]*\w)?",
    "nic": r"(?=.{1,80}$)\w([-\w.]*\w)?",
    "vnet": r"(?=.{2,64}$)\w([-\w.]*\w)?",
    "subnet": r"(?=.{1,80}$)\w([-\w.]*\w)?",
    "nsg": r"(?=.{1,80}$)\w([-\w.]*\w)?",
    "public_ip": r"(?=.{1,80}$)\w([-\w.]*\w)?",
    "candidate_image": r"(?=.{1,80}$)[A-Za-z0-9]([-\w.]*\w)?",
    "scale_set": r"(?=.{1,64}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    "computer_name_prefix": r"(?=.{1,9}$)[a-z][a-z0-9]*",
    "scale_set_nic": r"(?=.{1,80}$)\w([-\w.]*\w)?",
    "scale_set_nsg": r"(?=.{1,80}$)\w([-\w.]*\w)?",
    "source_image": r"(?=.{1,80}$)[A-Za-z0-9]([-\w.]*\w)?",
    "load_balancer": r"(?=.{1,80}$)\w([-\w.]*\w)?",
    "load_balancer_public_ip": r"(?=.{1,80}$)\w([-\w.]*\w)?",
}


def test_names_tell_the_spec_and_the_run() -> None:
    names = RUN.names
    assert names.resource_group == "vi-debian-nginx-abcd2345"
    assert names.virtual_machine == "vi-abcd2345-vm"
    assert names.candidate_image == "vi-debian-nginx-abcd2345-candidate"
    assert names.computer_name_prefix == "viabcd234"


def test_names_differ_from_each_other() -> None:
    names = dataclasses.astuple(RUN.names)
    assert len(set(names)) == len(names)


@settings(deadline=None)
@given(st.text(max_size=300))
def test_names_obey_azure_for_any_spec(spec: str) -> None:
    names = dataclasses.asdict(new_run(spec).names)
    assert names.keys() == RULES.keys()
    for what, name in names.items():
        assert re.fullmatch(RULES[what], name, re.ASCII), what


@settings(deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_tags_obey_azure_for_any_spec_and_owner(spec: str, owner: str) -> None:
    tags = new_run(spec, owner=owner).tags
    assert list(tags) == ["vi-run", "vi-spec", "vi-owner", "vi-created", "vi-expires"]
    for value in tags.values():
        assert len(value) <= 256
        assert value.isprintable()


def test_tags_hold_utc_times() -> None:
    run = new_run(
        "nginx",
        owner="ann",
        lifetime=timedelta(hours=1),
        now=datetime(2026, 5, 4, 5, 2, 1, 999, tzinfo=timezone(timedelta(hours=2))),
    )
    assert run.tags == {
        "vi-run": run.id,
        "vi-spec": "nginx",
        "vi-owner": "ann",
        "vi-created": "2026-05-04T03:02:01Z",
        "vi-expires": "2026-05-04T04:02:01Z",
    }


def test_a_new_run_belongs_to_the_login_name_and_lives_eight_hours() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    run = new_run("nginx")
    assert re.fullmatch(r"[a-z2-7]{8}", run.id)
    assert run.owner == getpass.getuser()
    assert before <= run.created <= datetime.now(UTC)
    assert run.expires - run.created == timedelta(hours=8)


def test_a_user_without_a_name_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_user() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", no_such_user)
    assert new_run("nginx").owner == "unknown"


def test_ids_differ() -> None:
    assert len({new_run("nginx").id for _ in range(200)}) == 200


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("debian-nginx", "debian-nginx"),
        ("Débian 12_(Nginx)", "debian-12-nginx"),
        ("../x//y..", "x-y"),
        ("日本", "spec"),
        ("", "spec"),
        ("a" * 49 + "-b", "a" * 49),
    ],
)
def test_specs_with_odd_names_are_cleaned(name: str, cleaned: str) -> None:
    assert clean_name(name) == cleaned


@settings(deadline=None)
@given(st.datetimes(timezones=st.timezones(), min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001 - with zones
def test_times_are_read_back(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment.astimezone(UTC).replace(microsecond=0)
