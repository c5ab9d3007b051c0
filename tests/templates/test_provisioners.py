"""A new kind of provisioner is one class; it is then known to the loader, its messages and the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
from pydantic import ValidationError

from tests.templates.conftest import HEAD, Load, Mistakes
from verified_images.templates import provisioners
from verified_images.templates.model import Provisioner, ShellProvisioner
from verified_images.templates.provisioners import provisioner_kinds
from verified_images.templates.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def nap(monkeypatch: pytest.MonkeyPatch) -> type[Provisioner]:
    """A kind of provisioner that exists for one test."""
    monkeypatch.setattr(provisioners, "_ENTRIES", dict(provisioners._ENTRIES))

    class NapProvisioner(Provisioner):
        """Do nothing for a while."""

        kind: ClassVar[str] = "nap"
        playlist: str = "install.sh"
        """What to hear."""

        def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
            yield ("playlist",), self.playlist

    return NapProvisioner


def test_a_new_kind_is_loaded(nap: type[Provisioner], load: Load) -> None:
    (provisioner,) = load(f"{HEAD}provisioners: [{{nap: {{timeout: 5m}}}}]\n").provisioners
    assert isinstance(provisioner, nap)
    assert provisioner.timeout == 300


def test_the_files_of_a_new_kind_are_checked(nap: type[Provisioner], mistakes: Mistakes) -> None:
    assert nap.kind in provisioner_kinds()
    assert mistakes(f"{HEAD}provisioners: [{{nap: {{playlist: a.m3u}}}}]\n") == [
        (7, "provisioners[0].nap.playlist", "there is no file 'a.m3u' beside the template"),
    ]


def test_a_new_kind_is_in_the_schema(nap: type[Provisioner]) -> None:
    entries = json_schema()["properties"]["provisioners"]["items"]["oneOf"]
    assert {"$ref": f"#/$defs/{nap.__name__}Entry"} in entries


def test_a_provisioner_made_in_code_says_where_it_stands() -> None:
    placed = ShellProvisioner(inline=("true",)).placed(3, line=14)
    assert (placed.index, placed.line) == (3, 14)


def test_its_place_is_not_a_key_of_the_template() -> None:
    with pytest.raises(ValidationError, match="unknown key 'index'"):
        ShellProvisioner.model_validate({"inline": ["true"], "index": 3})
