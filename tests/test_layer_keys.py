"""The keys of layers: equal for equal disks, and another one for whatever may make another disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from tests.local_azure import BUILDER, make_template
from verified_images.layer_keys import layer_keys

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOURCE = {"reference": {"publisher": "Debian", "version": "0.20250814.2204"}}


def keys(folder: Path, *provisioners: dict[str, Any], source: Any = None, **parts: Any) -> list[str]:  # noqa: ANN401
    return list(layer_keys(make_template(folder, provisioners=provisioners, **parts), source or SOURCE))


def shell(*lines: str | SecretStr, **more: object) -> dict[str, Any]:
    return {"shell": {"inline": list(lines), **more}}


def test_there_is_one_for_each_provisioner_and_the_same_each_time(tmp_path: Path) -> None:
    first = keys(tmp_path, shell("one"), shell("two"))
    assert first == keys(tmp_path, shell("one"), shell("two"))
    assert len(set(first)) == 2
    assert {len(key) for key in first} == {64}


def test_a_change_changes_the_keys_from_there_on(tmp_path: Path) -> None:
    before, after = (
        keys(tmp_path, shell("1"), shell("2"), shell("3")),
        keys(tmp_path, shell("1"), shell("4"), shell("3")),
    )
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, False]


@pytest.mark.parametrize(
    "change",
    [
        {"source": {"reference": {"publisher": "Debian", "version": "0.20250815.0"}}},
        {"builder": {**BUILDER, "vm_size": "Standard_B1s"}},
        {"builder": {**BUILDER, "custom_data": "#cloud-config\n"}},
        {"builder": {**BUILDER, "username": "somebody"}},
    ],
)
def test_the_source_and_the_builder_count(tmp_path: Path, change: dict[str, Any]) -> None:
    assert keys(tmp_path, shell("one")) != keys(tmp_path, shell("one"), **change)


@pytest.mark.parametrize("setting", [{"tags": {"team": "web"}}, {"allowed_inbound_ip_addresses": ["203.0.113.7"]}])
def test_what_the_guest_does_not_see_does_not_count(tmp_path: Path, setting: dict[str, Any]) -> None:
    assert keys(tmp_path, shell("one")) == keys(tmp_path, shell("one"), builder={**BUILDER, **setting})


@pytest.mark.parametrize(
    "given",
    [
        shell("x", env={"WORD": SecretStr("xyzzy")}),
        shell(SecretStr("echo xyzzy")),
        shell("echo xyzzy"),
        {"file": {"content": SecretStr("xyzzy"), "destination": "/etc/x"}},
        {"file": {"content": "a", "destination": "/etc/xyzzy"}},
    ],
)
def test_there_is_none_once_a_provisioner_was_given_a_secret(tmp_path: Path, given: dict[str, Any]) -> None:
    secrets = (SecretStr("xyzzy"),)
    assert len(keys(tmp_path, shell("one"), given, shell("two"), secrets=secrets)) == 1
    assert len(keys(tmp_path, shell("one"), shell("two"), secrets=secrets)) == 2


def test_there_is_none_where_the_machine_itself_was_given_a_secret(tmp_path: Path) -> None:
    builder = {**BUILDER, "custom_data": SecretStr("password: xyzzy")}
    assert keys(tmp_path, shell("one"), builder=builder) == []


def change_content(folder: Path) -> None:
    (folder / "files" / "page").write_text("other")


def change_mode(folder: Path) -> None:
    (folder / "files" / "page").chmod(0o755)


def change_name(folder: Path) -> None:
    (folder / "files" / "page").rename(folder / "files" / "other")


@pytest.mark.parametrize("change", [change_content, change_mode, change_name])
def test_the_files_that_a_provisioner_uses_count(tmp_path: Path, change: Callable[[Path], None]) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "page").write_text("hello")
    upload = {"file": {"source": "files", "destination": "/srv"}}
    before = keys(tmp_path, shell("one"), upload)
    change(tmp_path)
    after = keys(tmp_path, shell("one"), upload)
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_a_playbook_may_use_whatever_lies_beside_it_but_no_tests(tmp_path: Path) -> None:
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "main.yml").write_text("- debug:\n")
    (tmp_path / "site.yml").write_text("- hosts: all\n")
    playbook = {"ansible": {"playbook_file": "site.yml"}}
    before = keys(tmp_path, playbook)
    (tmp_path / "test_machine.py").write_text("def test_it(host): ...\n")
    (tmp_path / "template.yaml").write_text("# a comment\n")
    assert keys(tmp_path, playbook) == before
    (tmp_path / "roles" / "main.yml").write_text("- ping:\n")
    assert keys(tmp_path, playbook) != before


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"shell-local": {"inline": ["make"]}},
        {"breakpoint": {}},
        {"file": {"source": "/etc/hosts", "destination": "hosts", "direction": "download"}},
        {"file": {"source": "made", "destination": "/srv", "generated": True}},
        {"puppet-server": {}},
    ],
    ids=lambda each: next(iter(each)),
)
def test_they_end_before_what_acts_elsewhere(tmp_path: Path, elsewhere: dict[str, Any]) -> None:
    assert len(keys(tmp_path, shell("one"), elsewhere, shell("two"))) == 1
