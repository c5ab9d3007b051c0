"""Running a guest's commands in its tree and nowhere else.

A guest is a set of Linux namespaces (users, mounts, processes, network, host name, IPC, clock) whose root is the
guest's tree: the rest of the machine is unmounted before the guest's first command runs, and the right to mount is
given up, so that even the guest's root sees no file of the machine. No privilege is needed. There is no way to run a
guest's command outside of them.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from verified_images.emulator.fake.programs import find_program
from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verified_images.emulator.hypervisor import GuestNetwork

_ENTER_ROOT = Path(__file__).with_name("enter_root.py")
_LISTEN = "0A"  # of /proc/net/tcp, see proc(5)
_WITHOUT_MOUNTING = ("/usr/bin/setpriv", "--bounding-set=-sys_admin")


def run_as_tree_owner(*command: str | Path) -> None:
    """Run a program of this machine that may read and write whatever a guest's root has made in its tree.

    Raises:
        HypervisorError: it failed, or this machine allows no user namespaces.
    """
    entered = [find_program("unshare"), "--user", "--map-root-user", "--", *command]
    outcome = subprocess.run(
        entered, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, process_group=0
    )
    if outcome.returncode != 0:
        raise _error(f"{Path(command[0]).name} on a guest's disk failed", outcome.stderr)


@dataclass(frozen=True, slots=True)
class RootFileSystem:
    """The layers of a guest's root: paths relative to ``folder`` or absolute, the topmost of ``lower`` first."""

    folder: Path
    lower: tuple[str, ...]
    upper: str
    work: str

    @property
    def options(self) -> str:
        """What overlayfs is mounted with.

        ``userxattr`` is what allows it without privilege. ``volatile`` keeps it from writing out the machine's whole
        file system whenever a guest stops: what is lost when the machine's power fails is no loss here.
        """
        lower = ":".join(_escaped(path) for path in self.lower)
        return f"lowerdir={lower},upperdir={_escaped(self.upper)},workdir={_escaped(self.work)},userxattr,volatile"


def _escaped(path: str) -> str:
    return re.sub(r"([\\:,])", r"\\\1", path)


class Sandbox:
    """The namespaces of one running guest; ``console`` is the read end of what its first process writes.

    ``tap`` is the file descriptor of its network card, whoever takes which closes it; None where there are no TAP
    devices. They end with this object's owner: the first process reads a pipe that nobody else holds.
    """

    def __init__(self, process: subprocess.Popen[bytes], pid: int, tap: int | None) -> None:
        self.pid = pid
        self.tap = tap
        assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
        self.console: IO[bytes] = process.stdout
        self._process = process
        self._handle = os.pidfd_open(pid)
        self._has_ended = False
        targets = ("--user", "--mount", "--pid", "--net", "--uts", "--ipc", "--time")
        self._enter = [str(find_program("nsenter")), "--preserve-credentials", "--target", str(pid), *targets, "--"]

    @classmethod
    def start(cls, root: RootFileSystem, mount_point: Path, network: GuestNetwork) -> Sandbox:
        """Make the namespaces around ``root``, with the guest's network card.

        ``mount_point`` is an empty folder; outside of the namespaces it stays empty.

        Raises:
            HypervisorError: this machine does not allow it, or the tree has no init.
        """
        uptime = int(time.clock_gettime(time.CLOCK_BOOTTIME))
        taking, giving = socket.socketpair()
        with taking, giving:
            card = [str(giving.fileno()), network.mac, network.address, network.subnet]
            process = subprocess.Popen(
                [
                    find_program("unshare"), "--user", "--map-root-user", "--mount", "--pid", "--net", "--uts",
                    "--ipc", "--time", f"--boottime=-{uptime}", "--kill-child", "--fork", "--",
                    sys.executable, "-I", "-S", _ENTER_ROOT, root.options, root.work, mount_point, *card,
                ],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[giving.fileno()],
                bufsize=0, env={}, cwd=root.folder, start_new_session=True, umask=0o022,
            )  # fmt: skip
            assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
            complaint = b""
            while line := process.stdout.readline():
                word, _, pid = line.strip().partition(b" ")
                if word == b"up":
                    return cls(process, int(pid), _take_descriptor(taking))
                complaint += line
        assert process.stderr is not None  # noqa: S101 - it was opened as a pipe
        complaint += process.stderr.read()
        _finish(process)
        raise _error("no namespaces could be made for the guest", complaint.decode(errors="replace"))

    def spawn(  # noqa: PLR0913 - the descriptors of a process and its surroundings
        self,
        command: Sequence[str],
        *,
        stdin: int,
        stdout: int,
        stderr: int,
        env: Mapping[str, str] | None = None,
        may_mount: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start a command of the guest as its root, in a session of its own.

        A process of this machine that came by the number of an ended guest's could not be entered: setns(2) refuses
        the user namespace that the caller is in already.

        Raises:
            HypervisorError: the guest has ended.
        """
        if self._has_ended:
            raise HypervisorError("the guest is not running any more")
        return subprocess.Popen(
            [*self._enter, *(() if may_mount else _WITHOUT_MOUNTING), *command],
            stdin=stdin, stdout=stdout, stderr=stderr, env=dict(env or {}), cwd="/", start_new_session=True,
            umask=0o022,
        )  # fmt: skip

    def run(
        self, *command: str, stdin: bytes = b"", timeout: float | None = None, may_mount: bool = False
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command of the guest as its root; its exit code is not looked at.

        Raises:
            subprocess.TimeoutExpired: it did not end within ``timeout`` seconds, and was killed.
        """
        pipe = subprocess.PIPE
        with self.spawn(command, stdin=pipe, stdout=pipe, stderr=pipe, may_mount=may_mount) as process:
            try:
                stdout, stderr = process.communicate(stdin, timeout)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)

    def listens(self, port: int, addresses: frozenset[str]) -> bool:
        """Tell whether the guest accepts connections at TCP ``port`` of one of these IPv4 addresses."""
        wanted = {"0" * 8, "0" * 32, *(_as_in_proc(address) for address in addresses)}
        for table in ("tcp", "tcp6"):
            try:
                lines = Path(f"/proc/{self.pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]
            except OSError:
                continue
            for line in lines:
                local, _, state = line.split()[1:4]
                address, _, number = local.partition(":")
                if state == _LISTEN and int(number, 16) == port and address in wanted:
                    return True
        return False

    def kill(self) -> None:
        """Kill the guest's first process, and so by the kernel all others."""
        try:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        except OSError:
            # It has ended, or been waited for, since.
            return

    def wait(self) -> int:
        """Wait until no process of the guest is left; give its first one's exit code, negative for a signal.

        The kernel tells of a reboot by SIGHUP and of a power-off by SIGINT, see pid_namespaces(7).
        """
        code = self._process.wait()
        self._has_ended = True
        _finish(self._process)
        os.close(self._handle)
        return code


def _take_descriptor(taking: socket.socket) -> int | None:
    _, descriptors, _, _ = socket.recv_fds(taking, 16, 1)
    return descriptors[0] if descriptors else None


def _as_in_proc(address: str) -> str:
    return "".join(f"{int(part):02X}" for part in reversed(address.split(".")))


def _finish(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()


def _error(what: str, complaint: str) -> HypervisorError:
    text = f"{what}: {complaint.strip() or 'no reason given'}"
    if "unshare" in complaint:
        text += (
            "; guests of the fake hypervisor need user namespaces: allow them "
            "(sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, "
            "user.max_user_namespaces above 0)"
        )
    return HypervisorError(text)
