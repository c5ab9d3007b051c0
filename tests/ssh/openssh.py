"""A real OpenSSH server on a loopback port, run by whoever runs the tests, and a line to it with a delay."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from verified_images.ssh.address import Address
from verified_images.ssh.reach import reach_directly
from verified_images.ssh.session import Session

if TYPE_CHECKING:
    from types import TracebackType

    from verified_images.ssh.keys import RunKey
    from verified_images.ssh.reach import Reach

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_ed25519
HostKey {folder}/host_ecdsa
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PermitUserEnvironment no
MaxStartups 100
AllowTcpForwarding yes
{extra}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class OpenSSHServer:
    """sshd -D in ``folder``, where whoever runs the tests logs in with ``key``; ``extra`` configures it further."""

    def __init__(self, folder: Path, key: RunKey, extra: str = "", port: int | None = None) -> None:
        self.folder = folder
        self.key = key
        self.port = port or free_port()
        self.username = getpass.getuser()
        self._process: subprocess.Popen[bytes] | None = None
        for kind in ("ed25519", "ecdsa"):
            file = folder / f"host_{kind}"
            subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", kind, "-f", file], check=True)
        (folder / "authorized_keys").write_text(key.public + "\n")
        (folder / "config").write_text(_CONFIG.format(port=self.port, folder=folder, extra=extra))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        program = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert program, "these tests need OpenSSH's server: apt-get install openssh-server"
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        command = [program, "-D", "-e", "-f", str(self.folder / "config")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
        self._wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def host_key(self, kind: str = "ed25519") -> str:
        return (self.folder / f"host_{kind}.pub").read_text()

    def address(self, *host_keys: str, port: int | None = None, username: str | None = None) -> Address:
        pinned = host_keys or (self.host_key(),)
        return Address("test-vm", "127.0.0.1", port or self.port, username or self.username, pinned)

    def _wait(self) -> None:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())


def open_session(server: OpenSSHServer, reach: Reach = reach_directly, port: int | None = None) -> Session:
    return Session.connect(server.address(port=port), server.key, reach, timeout=20.0)
