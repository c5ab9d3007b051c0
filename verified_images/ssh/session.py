"""One SSH connection to one machine: commands, files, tunnels, and a reboot in between."""

from __future__ import annotations

import tarfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from verified_images.errors import (
    CommandError,
    ConnectionLostError,
    DeadlineError,
    LoginError,
    UnreachableError,
)
from verified_images.masking import Masker
from verified_images.ssh.connecting import connect
from verified_images.ssh.download import download_program, unpack
from verified_images.ssh.extraction import HostileArchiveError
from verified_images.ssh.openssh_client import lend_access
from verified_images.ssh.output import Collector, Output
from verified_images.ssh.pool import ShellPool, kill
from verified_images.ssh.quoting import exports
from verified_images.ssh.stream import Stream
from verified_images.ssh.transfer import Ownership, Upload, upload_content, upload_file, upload_tree
from verified_images.ssh.tunnel import Tunnel
from verified_images.waiting import UNLIMITED, Deadline, current_budget, wait_for

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from verified_images.ssh.address import Address
    from verified_images.ssh.keys import RunKey
    from verified_images.ssh.openssh_client import OpenSSHAccess
    from verified_images.ssh.reach import Reach

T = TypeVar("T")

_NAMED = 120  # characters of a command in the text of an error
_TAIL = 2000  # bytes of output in an error
_LOOK_EVERY = 0.5  # seconds
_CONNECT_WITHIN = 20.0  # seconds for one attempt while a machine reboots
_MOST_RECONNECTIONS = 3  # for one thing that is to be done
_RECONNECT_WITHIN = 300.0  # seconds


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command did: its exit code (128 + n when signal n ended it) and what it printed, as bytes."""

    command: str
    exit_code: int
    stdout: bytes
    stderr: bytes


class Session:
    """A connection that is logged in; leave the context, or call ``close``, to end it.

    Several threads may use it at once: each command has a shell of its own while it runs. ``masker`` hides secrets in
    live output and in the text of errors; results hold what the command printed.
    """

    def __init__(  # noqa: PLR0913 - what a connection is made of
        self, address: Address, key: RunKey, reach: Reach, *, timeout: float, masker: Masker, login_patience: float
    ) -> None:
        self.address = address
        self.masker = masker
        self._key = key
        self._reach = reach
        self._login_patience = login_patience
        self._lock = threading.Lock()
        self._reconnecting = threading.Lock()
        self._tunnels: list[Tunnel] = []
        self._open(timeout)

    @classmethod
    def connect(  # noqa: PLR0913 - what a connection is made of
        cls,
        address: Address,
        key: RunKey,
        reach: Reach,
        *,
        timeout: float,
        masker: Masker | None = None,
        login_patience: float = 60.0,
    ) -> Session:
        """Wait until the machine's SSH server answers, prove its host key, and log in with ``key``.

        ``timeout`` is for all of it, in seconds; ``login_patience`` is for how long a refused login is tried again,
        since a machine refuses everyone until its first boot has got far enough.

        Raises:
            UnreachableError: no SSH server answered in time.
            HostKeyError: the machine showed a host key other than those of ``address``.
            LoginError: it refused the key.
        """
        return cls(address, key, reach, timeout=timeout, masker=masker or Masker(), login_patience=login_patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._link.alive

    def run(  # noqa: PLR0913 - the knobs of one command
        self,
        command: str,
        *,
        sudo: bool = False,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        timeout: float | None = None,
        output: Output | None = None,
        keep: int | None = None,
        name: str | None = None,
    ) -> CommandResult:
        """Run ``command`` in a POSIX shell and return what it did; one round trip, unless it is given ``stdin``.

        It runs in the home directory, reads nothing from standard input, and sees ``env`` in its environment;
        with ``sudo`` it runs as root. Neither its text nor ``env`` appears in the machine's process list.
        ``output`` gets whole lines as they come, ``keep`` bounds the bytes that are kept of each stream (the last
        ones). After ``timeout`` seconds the command and what it started are killed. Errors show ``name``, or else
        how the command begins.

        Raises:
            DeadlineError: ``timeout`` passed.
            ConnectionLostError: the connection broke.
            ValueError: the command or a value holds a NUL, or a name of ``env`` cannot be exported.
        """
        text = exports(env or {}) + command
        collector = Collector(self.masker, output, keep)
        deadline = self._deadline(name or command, timeout)
        try:
            if stdin is None:
                code = self._shells.run(text, collector, deadline, sudo=sudo)
            else:
                code = self._stream(Upload(text, lambda write: write(stdin)), collector, deadline, sudo=sudo)
        finally:
            collector.finish()
        return CommandResult(command, code, collector.stdout, collector.stderr)

    def ask(self, command: str, *, timeout: float | None = None, sudo: bool = False) -> CommandResult:
        """Run a command that may as well run twice: after a lost connection it is run again on another one.

        Raises:
            DeadlineError: ``timeout`` passed.
            ConnectionLostError: the connection broke again and again.
            UnreachableError, HostKeyError, LoginError: no other connection could be had.
        """
        return self._again(lambda left: self.run(command, timeout=left, sudo=sudo), timeout)

    def upload(  # noqa: PLR0913 - source, destination, and whose it shall be
        self,
        sources: str | Path | Sequence[str | Path],
        destination: str,
        *,
        sudo: bool = False,
        owner: str | None = None,
        group: str | None = None,
        mode: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Copy files and folders to the machine in one stream.

        One file goes to ``destination``, or into it when that is a folder or ends with a slash. Several sources, and
        folders, go into the folder ``destination``: ``folder/`` means what is in it, ``folder`` the folder itself.
        Folders that are missing are made. Modes and symbolic links are kept. After a lost connection it is done again
        on another one.

        Raises:
            OSError: a source cannot be read.
            CommandError: the machine could not write the destination.
            ConnectionLostError, DeadlineError: as for ``run``.
        """
        names = [sources] if isinstance(sources, (str, Path)) else list(sources)
        owned = Ownership(owner, group, mode)
        if len(names) == 1 and not Path(names[0]).is_dir():
            upload = upload_file(Path(names[0]), destination, owned)
        else:
            user = "root" if sudo else self.address.username
            upload = upload_tree([str(name) for name in names], destination, owned, user)
        self._upload(upload, ", ".join(map(str, names)), destination, timeout, sudo=sudo)

    def upload_bytes(  # noqa: PLR0913 - content, destination, and whose it shall be
        self,
        content: bytes,
        destination: str,
        *,
        sudo: bool = False,
        owner: str | None = None,
        group: str | None = None,
        mode: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Write ``content`` to the file ``destination``; errors as for ``upload``."""
        upload = upload_content(content, destination, Ownership(owner, group, mode))
        self._upload(upload, f"{len(content)} bytes", destination, timeout, sudo=sudo)

    def download(
        self, remote: str, local: str | Path, *, sudo: bool = False, timeout: float | None = None
    ) -> tuple[str, ...]:
        """Copy a file or folder from the machine; return the names of entries that were left out.

        A file goes to ``local``, or into it when that is a folder. ``folder/`` puts what is in it into ``local``,
        ``folder`` makes ``local/folder``. Left out are devices and links that lead out of the folder.

        Raises:
            CommandError: it is not there, cannot be read, or the machine tried to write elsewhere than to ``local``.
            OSError: ``local`` cannot be written.
            ConnectionLostError, DeadlineError: as for ``run``.
        """
        return self._again(lambda left: self._download(remote, local, left, sudo=sudo), timeout)

    def open_tunnel(self, host: str, port: int, timeout: float = 10.0) -> socket.socket:
        """Connect from the machine to ``port`` of ``host``; the socket works like one connected from here.

        Raises:
            UnreachableError: the machine could not connect within ``timeout`` seconds.
        """
        tunnel = Tunnel(self._link, host, port, timeout)
        with self._lock:
            ended = [old for old in self._tunnels if old.ended]
            self._tunnels = [old for old in self._tunnels if old not in ended] + [tunnel]
        for old in ended:
            old.close()
        return tunnel.near

    def lend_openssh_access(self, folder: Path) -> AbstractContextManager[OpenSSHAccess]:
        """Return a context in which OpenSSH's client can log in; its private files are in ``folder`` meanwhile."""
        return lend_access(self.address, self._key, self._reach, folder)

    def boot_id(self) -> str:
        """Return what tells this boot of the machine from any other (random(4), "boot_id")."""
        return self._shells.hello().boot_id

    def reconnect(self, timeout: float) -> None:
        """Connect anew within ``timeout`` seconds; commands that still run get a ConnectionLostError.

        Raises:
            UnreachableError, HostKeyError, LoginError: as for ``connect``.
        """
        self.close()
        self._open(timeout)

    def wait_for_reboot(self, boot_id_before: str, timeout: float) -> None:
        """Wait until the machine has booted again since ``boot_id_before``, and be connected to it.

        Raises:
            DeadlineError: it had not within ``timeout`` seconds.
            HostKeyError: it came back with another host key.
        """
        deadline = Deadline(f"the reboot of {self.address.machine!r}", timeout)
        wait_for(lambda waiting: self._rebooted(boot_id_before, waiting), deadline, every=_LOOK_EVERY)

    def close(self) -> None:
        """End the connection, its tunnels and its threads; a second time does nothing."""
        with self._lock:
            tunnels, self._tunnels = self._tunnels, []
        for tunnel in tunnels:
            tunnel.close()
        self._link.close()

    def _open(self, timeout: float) -> None:
        deadline = Deadline(f"a session to {self.address}", timeout)
        while True:
            self._link = connect(
                self.address,
                self._key,
                self._reach,
                timeout=deadline.own_remaining,
                login_patience=self._login_patience,
            )
            self._shells = ShellPool(self._link)
            try:
                # Opened now, so that the first command finds a shell, and a user without one is told of here.
                self._is_root = self._shells.hello().is_root
            except ConnectionLostError:
                self._link.close()
                if deadline.remaining <= _LOOK_EVERY:
                    raise
            except BaseException:
                self._link.close()
                raise
            else:
                return
            deadline.sleep(_LOOK_EVERY)

    def _again(self, action: Callable[[float | None], T], timeout: float | None) -> T:
        """Do what may be done twice, and do it again after a lost connection; it is told what is left of the time."""
        what = f"the end of what was to be done on {self.address.machine!r}, whose connection broke,"
        deadline = Deadline(what, UNLIMITED if timeout is None else timeout)
        for _ in range(_MOST_RECONNECTIONS):
            try:
                return action(None if timeout is None else deadline.own_remaining)
            except ConnectionLostError:
                deadline.check()
                with self._reconnecting:
                    if not self.alive:  # else another thread has reconnected meanwhile
                        self.reconnect(min(_RECONNECT_WITHIN, deadline.own_remaining))
        return action(None if timeout is None else deadline.own_remaining)

    def _rebooted(self, before: str, deadline: Deadline) -> bool | None:
        try:
            # A new connection each time: one from before may stay silent for minutes.
            self.reconnect(max(1.0, min(_CONNECT_WITHIN, deadline.remaining)))
            now = self.boot_id()
        except (UnreachableError, LoginError, ConnectionLostError) as error:
            deadline.saw(str(error))
            return None
        deadline.saw("it has not gone down yet")
        return now != before or None

    def _needs(self, sudo: bool) -> bool:  # noqa: FBT001 - says the same as the caller's keyword
        return sudo and not self._is_root

    def _deadline(self, command: str, timeout: float | None) -> Deadline | None:
        if timeout is None and current_budget() is None:
            return None
        seconds = UNLIMITED if timeout is None else timeout
        return Deadline(f"the end of {self._named(command)!r} on {self.address.machine!r}", seconds)

    def _named(self, command: str) -> str:
        """Return the beginning of a command, fit for a message."""
        text = " ".join(self.masker(command).split())
        return text if len(text) <= _NAMED else text[: _NAMED - 3] + "..."

    def _stream(self, upload: Upload, collector: Collector, deadline: Deadline | None, *, sudo: bool) -> int:
        with Stream(self._link, upload.program, upload.feed, sudo=self._needs(sudo)) as stream:
            try:
                collector.take(stream.output(deadline))
                return stream.exit_code(deadline)
            except DeadlineError:
                self._kill(stream, sudo=sudo)
                raise

    def _upload(self, upload: Upload, what: str, destination: str, timeout: float | None, *, sudo: bool) -> None:
        what = f"upload of {what} to {destination}"

        def send(left: float | None) -> None:
            collector = Collector(self.masker, keep=_TAIL)
            if code := self._stream(upload, collector, self._deadline(what, left), sudo=sudo):
                raise self._failed(what, code, collector)

        self._again(send, timeout)

    def _download(self, remote: str, local: str | Path, timeout: float | None, *, sudo: bool) -> tuple[str, ...]:
        what = f"download of {remote}"
        collector = Collector(self.masker, keep=_TAIL)
        left_out: tuple[str, ...] = ()
        problem: Exception | None = None
        deadline = self._deadline(what, timeout)
        with Stream(self._link, download_program(remote), _nothing, sudo=self._needs(sudo)) as stream:
            pieces = stream.output(deadline)
            try:
                left_out = unpack(pieces, collector, remote, str(local))
            except DeadlineError:
                self._kill(stream, sudo=sudo)
                raise
            except (tarfile.TarError, HostileArchiveError) as error:
                problem = error
            collector.take(pieces)
            code = stream.exit_code(deadline)
        if code or problem:
            raise self._failed(what, code, collector) from problem
        return left_out

    def _kill(self, stream: Stream, *, sudo: bool) -> None:
        if stream.pid is not None:
            kill(self._link, stream.pid, sudo=self._needs(sudo))

    def _failed(self, what: str, code: int, collector: Collector) -> CommandError:
        tail = self.masker(collector.stderr.decode("utf-8", "replace")).strip()
        return CommandError(
            f"the {self._named(what)} failed on {self.address.machine!r}: {tail or f'exit code {code}'}",
            machine=self.address.machine,
            exit_code=code,
            tail=tail,
        )


def _nothing(_write: object) -> None:
    """Feed nothing."""
