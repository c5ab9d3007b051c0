"""Secrets that are planted in every channel: none shows in what a session tells, keeps, runs or publishes."""

from __future__ import annotations

import base64
import html
import json
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.faults.planted import make_secrets, plant
from tests.faults.sessions import Sessions
from tests.local_azure import start_local_azure
from verified_images.journal import journal_folder
from verified_images.ssh import keys
from verified_images.stages import context

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from multiprocessing.connection import Connection
    from pathlib import Path

    from verified_images.ssh.keys import RunKey

INPUTS = {"template.yaml", "packer.json", "values.json"}


@dataclass(frozen=True, slots=True)
class Watch:
    """Makes the plugin of the session, which keeps what vanishes before its end: the journals and the private keys."""

    def __call__(self, wire: Connection) -> object:
        return _Watcher(wire)


@dataclass(slots=True)
class _Watcher:
    wire: Connection
    journals: set[str] = field(default_factory=set)
    keys: list[str] = field(default_factory=list)

    def pytest_configure(self) -> None:
        make = keys.new_run_key

        def make_and_note(comment: str) -> RunKey:
            key = make(comment)
            self.keys.append(key._text)
            return key

        pytest.MonkeyPatch().setattr(context, "new_run_key", make_and_note)  # in a process of its own

    def pytest_runtest_logfinish(self) -> None:
        self.journals.update(path.read_text() for path in journal_folder().glob("*"))

    def pytest_unconfigure(self) -> None:
        self.wire.send((self.journals, self.keys))


@dataclass(frozen=True, slots=True)
class Planted:
    """A session over: its secrets, with the private keys that it made, and where it wrote."""

    sessions: Sessions
    values: Mapping[str, str]
    journals: str
    state: Path


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Secrets in every channel, and a session that shows them wherever it can, on a local cloud that is closed then."""
    folder, state, cache = (tmp_path_factory.mktemp(name) for name in ("planted", "state", "cache"))
    with start_local_azure(state, cache, announced=True) as (cloud, _):
        return show_everything(Sessions(folder, cloud, cache), state)


def show_everything(sessions: Sessions, state: Path) -> Planted:
    """Run a session that shows every secret wherever it can."""
    values = make_secrets()
    plant(sessions, values)
    environment = {"MATRIX_TOKEN": values["token"], "AZURE_CLIENT_SECRET": values["principal"]}
    # Two of the specs have an address with a signature in it, which no template may have.
    options = (
        "--continue-on-collection-errors",
        "--vi-var-file=values.json",
        "--vi-layers",
        "-o",
        "junit_logging=all",
        "-o",
        "log_level=DEBUG",
        "-o",
        "junit_family=xunit1",
    )
    with sessions.begin(*options, plugin=Watch(), environment=environment) as session:
        journals, private = session.receive()
        assert session.wait() == pytest.ExitCode.TESTS_FAILED, sessions.output
    # The lines of a key that are its own.
    own = {f"key {number} line {place}": line for number, key in enumerate(private) for place, line in _lines_of(key)}
    return Planted(sessions, {**values, **own}, "".join(journals), state)


def _lines_of(key: str) -> Iterator[tuple[int, str]]:
    # The first line says the format, the second the public half.
    yield from enumerate(key.strip().splitlines()[3:-1])


def find(values: Mapping[str, str], text: str) -> set[str]:
    """Give the names of the secrets that a text shows, as they are or in the form of a program's output."""
    text = f"{text}\n{html.unescape(text)}"
    return {name for name, value in values.items() if any(form in text for form in _forms(value))}


def _forms(value: str) -> Iterator[str]:
    yield from (value, json.dumps(value)[1:-1], repr(value)[1:-1], urllib.parse.quote(value, safe=""))
    # Within Base64, where it may begin at any of three places and only its middle is its own.
    for before in range(3):
        yield base64.b64encode(b" " * before + value.encode()).decode()[4 * (before > 0) :].rstrip("=")[:-1]
    yield value[: -len(value) // 2]
    yield value[len(value) // 2 :]


def read_all(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield str(path.relative_to(folder)), path.read_bytes().decode("utf-8", "replace")


def test_the_session_has_shown_them_all(planted: Planted) -> None:
    """Else nothing else here would prove anything."""
    outcomes = planted.sessions.read_report()
    assert outcomes["test_prints[loud]"] == "failure"
    output = planted.sessions.output
    assert output.count("***") > 20
    assert "quiet: published" in output
    assert "packer: published" in output
    assert "layered: published" in output
    assert "exit code 7" in output
    for name in ("seen-here", "seen-there"):
        assert "/bin/sh" in (planted.sessions.folder / name).read_text()


def test_nothing_that_a_session_writes_shows_one(planted: Planted) -> None:
    shown = {}
    for name, text in read_all(planted.sessions.folder):
        if name.rpartition("/")[2] not in INPUTS and (found := find(planted.values, text)):
            shown[name] = found
    assert shown == {}


def test_no_journal_shows_one(planted: Planted) -> None:
    assert '"event":"planned"' in planted.journals
    assert find(planted.values, planted.journals) == set()


def test_neither_the_images_nor_what_the_local_cloud_keeps_shows_one(planted: Planted) -> None:
    shown = {name: found for name, text in read_all(planted.state) if (found := find(planted.values, text))}
    assert any(planted.state.glob("layers/*/files/etc")), "there is no image to look at"
    told = "".join(text for _, text in read_all(planted.state))
    assert "/snapshots/layer-" in told, "there is no layer to look at"
    assert shown == {}
