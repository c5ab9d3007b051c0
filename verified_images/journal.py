"""The run's journal: what the run is about to create, on disk before Azure hears of it.

One file of JSON lines per run. The first line describes the run; each other line says that a resource is
planned or removed, or notes what a stage gave, so that a later run can go on from there. What was planned and not
removed may exist, also after ``kill -9`` or a power cut. Beside it lie the key and the host keys of a machine that was
kept; they go when the journal does.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from verified_images.errors import VerifiedImagesError
from verified_images.naming import Run, format_time, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

_FORMAT = 1

KEPT = "kept"
"""The note that what is left was left on purpose: until ``expires``, with ``machine`` to go into if there is one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A resource that the run has planned: what it is, in words, and its Azure resource id."""

    kind: str
    resource_id: str


@dataclass(frozen=True, slots=True)
class Target:
    """The cloud that a run builds in: its name, subscription id and Azure Resource Manager endpoint."""

    cloud: str
    subscription: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Record:
    """A journal as read back: ``left`` may still exist; ``active`` tells that its run still goes on here.

    ``notes`` are what stages gave, by what they are; with the note ``kept`` the run expires when that says.
    """

    path: Path
    run: Run
    target: Target
    left: tuple[Entry, ...]
    active: bool
    notes: Mapping[str, Any] = field(default_factory=dict)


def journal_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of all journals, by the XDG Base Directory Specification."""
    state = environment.get("XDG_STATE_HOME", "")
    # The specification: a relative path in the variable is to be ignored.
    base = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return base / "verified-images" / "runs"


def read_journal(path: Path) -> Record:
    """Return what the journal at ``path`` tells; a last line that was torn by a crash counts as not written.

    Raises:
        VerifiedImagesError: the file cannot be read or is no journal.
    """
    try:
        content = path.read_bytes()
        active = _is_locked(path)
    except OSError as error:
        raise VerifiedImagesError(f"the journal '{path}' cannot be read: {error.strerror}") from error
    header, *lines = _complete_lines(content) or [b""]
    ledger = _Ledger()
    try:
        run, target = _read_header(header)
        for line in lines:
            ledger.replay(json.loads(line))
        if KEPT in ledger.notes:
            run = replace(run, expires=parse_time(ledger.notes[KEPT]["expires"]))
    except (ValueError, KeyError, TypeError) as error:
        raise VerifiedImagesError(
            f"'{path}' is not a journal of verified-images, or it is damaged; search Azure for resources "
            f"with the tag vi-run={path.stem}, then delete the file",
        ) from error
    return Record(path, run, target, ledger.left(), active, ledger.notes)


@dataclass(slots=True)
class _Ledger:
    """What is planned and not removed, by lower-case id: Azure compares ids without regard to case."""

    entries: dict[str, Entry] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def replay(self, fact: Mapping[str, Any]) -> None:
        match fact["event"]:
            case "planned":
                self.plan(Entry(str(fact["kind"]), str(fact["id"])))
            case "removed":
                self.remove(str(fact["id"]))
            case "noted":
                self.notes[str(fact["what"])] = fact["facts"]
            case event:
                raise ValueError(f"unknown event {event!r}")

    def plan(self, entry: Entry) -> None:
        self.entries.setdefault(entry.resource_id.lower(), entry)

    def remove(self, resource_id: str) -> None:
        """Forget the resource and, as Azure deletes it, all that is inside it."""
        gone = resource_id.lower()
        inside = f"{gone}/"
        self.entries = {key: entry for key, entry in self.entries.items() if key != gone and not key.startswith(inside)}

    def left(self) -> tuple[Entry, ...]:
        return tuple(self.entries.values())


class Journal:
    """The journal of one run, open for writing; thread-safe. Leaving it as a context manager closes it."""

    def __init__(self, path: Path, descriptor: int, ledger: Iterable[Entry] = ()) -> None:
        self.path = path
        self._descriptor: int | None = descriptor
        self._size = os.fstat(descriptor).st_size
        self._lock = threading.Lock()
        self._ledger = _Ledger({entry.resource_id.lower(): entry for entry in ledger})

    @property
    def key_file(self) -> Path:
        """Where the private key of a kept machine is, if there is one."""
        return self.path.with_suffix(".key")

    @property
    def known_hosts(self) -> Path:
        """Where the host keys of a kept machine are, if there is one."""
        return self.path.with_suffix(".known_hosts")

    @classmethod
    def open(cls, run: Run, folder: Path, *, target: Target) -> Self:
        """Begin the journal ``<folder>/<run id>.jsonl``, readable by its owner alone.

        Raises:
            VerifiedImagesError: the file cannot be written, or a run with this id has one already.
        """
        path = folder / f"{run.id}.jsonl"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(path, _create(path, _header(run, target)))
        except OSError as error:
            raise VerifiedImagesError(
                f"the journal '{path}' cannot be begun: {error.strerror}; nothing was created",
            ) from error

    @classmethod
    def resume(cls, path: Path) -> Self:
        """Go on with the journal of an earlier run, whose process has ended.

        Raises:
            VerifiedImagesError: it is no journal, it cannot be written, or its run is still going on.
        """
        record = read_journal(path)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise VerifiedImagesError(f"the run of the journal '{path}' is still going on") from error
        except OSError as error:
            raise VerifiedImagesError(f"the journal '{path}' cannot be written: {error.strerror}") from error
        whole = sum(len(line) + 1 for line in _complete_lines(path.read_bytes()))
        os.ftruncate(descriptor, whole)
        return cls(path, descriptor, record.left)

    def planned(self, kind: str, resource_id: str) -> None:
        """Note that the resource is about to be created; the note is on the disk when this returns.

        ``kind`` says in words what it is ("virtual machine"). Noting a resource twice leaves one entry.

        Raises:
            VerifiedImagesError: the note could not be written, so the resource must not be created.
        """
        with self._lock:
            self._append(
                {"event": "planned", "kind": kind, "id": resource_id},
                consequence=f"so the {kind} '{resource_id}' was not created",
            )
            self._ledger.plan(Entry(kind, resource_id))

    def removed(self, resource_id: str) -> None:
        """Note that the resource, and with it whatever was inside it, exists no more, or is temporary no more.

        A note that cannot be written, on a disk that is full, holds up nothing: whoever reads the journal asks Azure
        what is there, and whose it is, before anything is deleted.
        """
        with self._lock, contextlib.suppress(VerifiedImagesError):
            self._ledger.remove(resource_id)
            self._append({"event": "removed", "id": resource_id}, consequence="so it goes on to name what is gone")

    def noted(self, what: str, facts: Mapping[str, Any]) -> None:
        """Note what a stage gave, in values that JSON has; a later note of the same takes the place of this one.

        Raises:
            VerifiedImagesError: the note could not be written.
        """
        with self._lock:
            self._append({"event": "noted", "what": what, "facts": facts}, consequence=f"so '{what}' is not kept in it")

    def left(self) -> tuple[Entry, ...]:
        """Return what was planned and not removed, in the order of planning."""
        with self._lock:
            return self._ledger.left()

    def close(self) -> None:
        """Close the journal, and delete its file if nothing is left; closing twice is allowed.

        Raises:
            VerifiedImagesError: the file, or the key of a kept machine beside it, cannot be deleted.
        """
        with self._lock:
            if self._descriptor is None:
                return
            descriptor, self._descriptor = self._descriptor, None
            try:
                if not self._ledger.entries:
                    # The key first: with the journal gone, nobody would look for it.
                    for path in (self.key_file, self.known_hosts, self.path):
                        path.unlink(missing_ok=True)
            except OSError as error:
                raise VerifiedImagesError(
                    f"nothing of the run is left, but '{error.filename}' cannot be deleted: {error.strerror}; delete it"
                ) from error
            finally:
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, fact: Mapping[str, Any], *, consequence: str) -> None:
        if self._descriptor is None:
            raise VerifiedImagesError(f"the journal '{self.path}' is closed, {consequence}")
        line = _line(fact)
        try:
            _write_through(self._descriptor, line)
        except OSError as error:
            # Without this, a later line would be glued to the half of this one and both would be lost.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise VerifiedImagesError(
                f"the journal '{self.path}' cannot be written, {consequence}: {error.strerror}",
            ) from error
        self._size += len(line)


def _create(path: Path, header: bytes) -> int:
    """Make the file and its first line appear at once; return its descriptor, locked for this process."""
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write_through(descriptor, header)
        draft.rename(path)
        _sync_folder(path.parent)
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        draft.unlink(missing_ok=True)
    return descriptor


def _write_through(descriptor: int, line: bytes) -> None:
    remaining = memoryview(line)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Bring the new file's name to the disk; its content alone would not be found after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _line(fact: Mapping[str, object]) -> bytes:
    return json.dumps(fact, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _complete_lines(content: bytes) -> list[bytes]:
    return content.split(b"\n")[:-1]


def _header(run: Run, target: Target) -> bytes:
    return _line(
        {
            "journal": _FORMAT,
            "run": run.id,
            "spec": run.spec,
            "owner": run.owner,
            "created": format_time(run.created),
            "expires": format_time(run.expires),
            "cloud": target.cloud,
            "subscription": target.subscription,
            "endpoint": target.endpoint,
        },
    )


def _read_header(line: bytes) -> tuple[Run, Target]:
    header = json.loads(line)
    if header["journal"] != _FORMAT:
        raise ValueError(f"unknown journal format {header['journal']!r}")
    created, expires = parse_time(header["created"]), parse_time(header["expires"])
    return (
        Run(header["run"], header["spec"], header["owner"], created, expires),
        Target(header["cloud"], header["subscription"], header["endpoint"]),
    )
