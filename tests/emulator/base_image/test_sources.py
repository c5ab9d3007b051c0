from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from verified_images.emulator.base_image.sources import apt_sources

if TYPE_CHECKING:
    from pathlib import Path

DEBIAN = "ID=debian\nVERSION_CODENAME=bookworm\n"
MIRROR = """Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
OTHER = """Types: deb
URIs: https://packages.example/apt
Suites: {suite}
Components: main
Signed-By: /usr/share/keyrings/example.gpg
"""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "os-release").write_text(DEBIAN)
    return tmp_path


def test_the_mirror_of_a_host_of_the_same_release_is_used(etc: Path) -> None:
    (etc / "apt/sources.list.d/debian.sources").write_text(MIRROR)
    assert apt_sources("bookworm", etc) == MIRROR


@pytest.mark.parametrize("suite", ["bookworm", "nodistro"])
def test_other_archives_of_the_host_are_left_out(etc: Path, suite: str) -> None:
    (etc / "apt/sources.list.d/all.sources").write_text(OTHER.format(suite=suite) + "\n" + MIRROR)
    assert apt_sources("bookworm", etc) == MIRROR


def test_the_old_format_is_understood(etc: Path) -> None:
    line = "deb http://mirror.example/debian bookworm main"
    (etc / "apt/sources.list").write_text(f"# a comment\n{line}\ndeb https://packages.example/apt stable main\n")
    assert apt_sources("bookworm", etc) == line + "\n"


@pytest.mark.parametrize("release", ["ID=debian\nVERSION_CODENAME=trixie\n", "ID=ubuntu\nVERSION_CODENAME=noble\n"])
def test_another_release_builds_from_debian_itself(etc: Path, release: str) -> None:
    (etc / "os-release").write_text(release)
    (etc / "apt/sources.list.d/debian.sources").write_text(MIRROR)
    sources = apt_sources("bookworm", etc)
    assert "http://deb.debian.org/debian\n" in sources
    assert "bookworm-security" in sources
    assert "mirror.example" not in sources


def test_a_switched_off_entry_is_not_used(etc: Path) -> None:
    (etc / "apt/sources.list.d/debian.sources").write_text("Enabled: no\n" + MIRROR)
    assert "deb.debian.org" in apt_sources("bookworm", etc)
