"""The journal holds what may exist, whatever kills the run, and vanishes when nothing is left."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from verified_images.errors import VerifiedImagesError
from verified_images.journal import Entry, Journal, Target, journal_folder, read_journal
from verified_images.naming import new_run

if TYPE_CHECKING:
    from collections.abc import Callable

RUN = new_run("debian-nginx", owner="ann", now=datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC))
TARGET = Target("azure", "00000000-0000-0000-0000-000000000000", "https://management.azure.com")
GROUP = "/subscriptions/0/resourceGroups/vi-nginx"
MACHINE = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vi-vm"
VERSION = "/subscriptions/0/resourceGroups/images/providers/Microsoft.Compute/galleries/g/images/d/versions/1.0.0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "runs"


@pytest.fixture
def journal(folder: Path) -> Journal:
    return Journal.open(RUN, folder, target=TARGET)


class TestWriting:
    def test_what_is_planned_is_left_until_it_is_removed(self, journal: Journal) -> None:
        journal.planned("resource group", GROUP)
        journal.planned("image version", VERSION)
        assert journal.left() == (Entry("resource group", GROUP), Entry("image version", VERSION))
        journal.removed(VERSION)
        assert journal.left() == (Entry("resource group", GROUP),)

    def test_planning_twice_leaves_one_entry(self, journal: Journal) -> None:
        journal.planned("resource group", GROUP)
        journal.planned("resource group", GROUP.upper())
        assert journal.left() == (Entry("resource group", GROUP),)

    def test_what_is_inside_goes_with_what_is_removed(self, journal: Journal) -> None:
        journal.planned("resource group", GROUP)
        journal.planned("virtual machine", MACHINE)
        journal.planned("resource group", GROUP + "-2")
        journal.removed(GROUP.upper())
        assert journal.left() == (Entry("resource group", GROUP + "-2"),)

    def test_removing_what_was_never_planned_is_no_mistake(self, journal: Journal) -> None:
        journal.removed(GROUP)
        assert journal.left() == ()

    def test_the_file_is_its_owners_alone(self, journal: Journal, folder: Path) -> None:
        assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert [path.name for path in folder.iterdir()] == [f"{RUN.id}.jsonl"]

    def test_the_first_line_describes_the_run(self, journal: Journal) -> None:
        assert json.loads(journal.path.read_text().splitlines()[0]) == {
            "journal": 1,
            "run": RUN.id,
            "spec": "debian-nginx",
            "owner": "ann",
            "created": "2026-05-04T03:02:01Z",
            "expires": "2026-05-04T11:02:01Z",
            "cloud": "azure",
            "subscription": "00000000-0000-0000-0000-000000000000",
            "endpoint": "https://management.azure.com",
        }

    def test_a_note_is_on_the_disk_before_planned_returns(
        self, journal: Journal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced = []
        monkeypatch.setattr(os, "fsync", lambda _: synced.append(journal.path.read_bytes().splitlines()[-1]))
        journal.planned("resource group", GROUP)
        assert [json.loads(line)["id"] for line in synced] == [GROUP]

    def test_a_run_has_one_journal(self, journal: Journal, folder: Path) -> None:
        journal.planned("resource group", GROUP)
        with pytest.raises(VerifiedImagesError, match="cannot be begun: File exists; nothing was created"):
            Journal.open(RUN, folder, target=TARGET)
        assert read_journal(journal.path).left == (Entry("resource group", GROUP),)

    def test_a_place_that_cannot_be_written_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(VerifiedImagesError, match=r"cannot be begun: (Not a directory|File exists)"):
            Journal.open(RUN, tmp_path / "file", target=TARGET)

    def test_a_full_disk_is_told_and_leaves_no_half_line(
        self, journal: Journal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal.planned("resource group", GROUP)
        write = os.write

        def write_half(descriptor: int, data: bytes) -> int:
            if len(data) > 10:
                return write(descriptor, data[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "write", write_half)
        message = f"so the virtual machine '{MACHINE}' was not created: No space left on device"
        with pytest.raises(VerifiedImagesError, match=message):
            journal.planned("virtual machine", MACHINE)
        monkeypatch.undo()
        journal.planned("image version", VERSION)
        assert journal.left() == (Entry("resource group", GROUP), Entry("image version", VERSION))
        assert read_journal(journal.path).left == journal.left()

    def test_a_full_disk_holds_up_no_removal(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        journal.planned("resource group", GROUP)

        def refuse(_descriptor: int, _data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "write", refuse)
        journal.removed(GROUP)
        assert journal.left() == ()
        journal.close()
        assert not journal.path.exists()


class TestClosing:
    def test_a_key_that_cannot_be_deleted_is_told_and_its_journal_stays(
        self, journal: Journal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal.key_file.write_text("private")

        def refuse(path: Path, *, missing_ok: bool) -> None:
            del missing_ok
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

        monkeypatch.setattr(Path, "unlink", refuse)
        with pytest.raises(VerifiedImagesError, match=r"\.key' cannot be deleted: Read-only file system; delete it"):
            journal.close()
        monkeypatch.undo()
        assert not read_journal(journal.path).active

    def test_an_empty_journal_is_deleted(self, journal: Journal, folder: Path) -> None:
        journal.planned("resource group", GROUP)
        journal.removed(GROUP)
        journal.close()
        assert list(folder.iterdir()) == []

    def test_one_with_something_left_stays(self, journal: Journal) -> None:
        with journal:
            journal.planned("resource group", GROUP)
        record = read_journal(journal.path)
        assert (record.run, record.target, record.left) == (RUN, TARGET, (Entry("resource group", GROUP),))

    def test_closing_twice_is_allowed(self, journal: Journal) -> None:
        journal.close()
        journal.close()

    def test_nothing_can_be_noted_afterwards(self, journal: Journal) -> None:
        journal.close()
        with pytest.raises(VerifiedImagesError, match=f"is closed, so the group '{GROUP}' was not created"):
            journal.planned("group", GROUP)


class TestReading:
    def test_a_run_that_goes_on_is_told_from_one_that_ended(self, journal: Journal) -> None:
        journal.planned("resource group", GROUP)
        assert read_journal(journal.path).active is True
        journal.close()
        assert read_journal(journal.path).active is False

    def test_a_torn_last_line_counts_as_not_written(self, journal: Journal) -> None:
        journal.planned("resource group", GROUP)
        whole = journal.path.read_bytes()
        journal.planned("virtual machine", MACHINE)
        journal.close()
        last = journal.path.read_bytes()[len(whole) :]
        for cut in range(len(last)):
            journal.path.write_bytes(whole + last[:cut])
            assert read_journal(journal.path).left == (Entry("resource group", GROUP),)

    @pytest.mark.parametrize(
        "content",
        [b"", b"\n", b"{}\n", b"[]\n", b'"x"\n', b"\xff\xfe\n", b'{"journal": 2}\n', b"x" * 1000, b'{"journal": 1}\n'],
    )
    def test_what_is_no_journal_is_told(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "abcd2345.jsonl"
        path.write_bytes(content)
        with pytest.raises(VerifiedImagesError, match=r"is not a journal .* with the tag vi-run=abcd2345"):
            read_journal(path)

    @pytest.mark.parametrize("line", [b"torn\n", b'{"event":"painted","id":"x"}\n', b'{"event":"planned"}\n', b"[]\n"])
    def test_damage_in_the_middle_is_told(self, journal: Journal, line: bytes) -> None:
        journal.planned("resource group", GROUP)
        journal.close()
        with journal.path.open("ab") as file:
            file.write(line + line)
        with pytest.raises(VerifiedImagesError, match="is not a journal"):
            read_journal(journal.path)

    def test_a_missing_one_is_told(self, folder: Path) -> None:
        with pytest.raises(VerifiedImagesError, match="cannot be read: No such file or directory"):
            read_journal(folder / "x.jsonl")


class TestResuming:
    def test_goes_on_behind_a_torn_line(self, journal: Journal) -> None:
        journal.planned("resource group", GROUP)
        journal.planned("image version", VERSION)
        journal.close()
        with journal.path.open("ab") as file:
            file.write(b'{"event":"plan')
        with Journal.resume(journal.path) as resumed:
            assert resumed.left() == (Entry("resource group", GROUP), Entry("image version", VERSION))
            resumed.removed(GROUP)
            assert read_journal(journal.path).left == (Entry("image version", VERSION),)
            resumed.removed(VERSION)
        assert not journal.path.exists()

    def test_is_refused_while_the_run_goes_on(self, journal: Journal) -> None:
        journal.planned("resource group", GROUP)
        with pytest.raises(VerifiedImagesError, match="is still going on"):
            Journal.resume(journal.path)
        assert journal.left() == (Entry("resource group", GROUP),)


KILLED = """
import os, signal, sys
from pathlib import Path
from verified_images.journal import Journal, Target
from verified_images.naming import new_run
journal = Journal.open(new_run("nginx"), Path(sys.argv[1]), target=Target("local", "s", "e"))
journal.planned("resource group", "/group")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_planned_is_found(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False, timeout=60)
    (path,) = folder.iterdir()
    record = read_journal(path)
    assert (record.left, record.active, record.run.spec) == ((Entry("resource group", "/group"),), False, "nginx")


@pytest.mark.parametrize(
    ("environment", "folder_of"),
    [
        ({"XDG_STATE_HOME": "/var/state"}, lambda _: Path("/var/state")),
        ({"XDG_STATE_HOME": "relative"}, lambda home: home / ".local" / "state"),
        ({"XDG_STATE_HOME": ""}, lambda home: home / ".local" / "state"),
        ({}, lambda home: home / ".local" / "state"),
    ],
)
def test_journals_are_kept_where_state_belongs(environment: dict[str, str], folder_of: Callable[[Path], Path]) -> None:
    assert journal_folder(environment) == folder_of(Path.home()) / "verified-images" / "runs"
