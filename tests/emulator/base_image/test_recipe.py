from __future__ import annotations

import io
import tarfile

import pytest

from verified_images.emulator.base_image import recipe
from verified_images.emulator.base_image.recipe import cache_key, pack_root_files


def test_the_key_stays_while_the_ingredients_stay() -> None:
    assert cache_key() == cache_key()


@pytest.mark.parametrize(
    ("name", "value"),
    [("LAYOUT", -1), ("SUITE", "trixie"), ("SIZE_BYTES", 1), ("PACKAGES", ("nginx",))],
)
def test_the_key_changes_with_each_ingredient(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    before = cache_key()
    monkeypatch.setattr(recipe, name, value)
    assert cache_key() != before


def test_the_key_changes_with_the_script_and_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {cache_key()}
    monkeypatch.setattr(recipe, "read_script", lambda _: "another script")
    keys.add(cache_key())
    monkeypatch.setattr(recipe, "pack_root_files", lambda: b"other files")
    keys.add(cache_key())
    assert len(keys) == 3


def test_all_files_belong_to_root_and_none_is_writable_by_others() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack_root_files())) as archive:
        members = archive.getmembers()
    assert "etc/apt/sources.list.d/debian.sources" in [member.name for member in members]
    assert {(member.uid, member.gid, member.mode & 0o022) for member in members} == {(0, 0, 0)}


def test_no_file_bears_a_user_or_a_key() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack_root_files())) as archive:
        names = archive.getnames()
    assert not [name for name in names if "passwd" in name or "shadow" in name or "_key" in name]
