"""The SSH server of the guests: it runs in this process, and all that it looks up or starts is in the guest."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import threading
from typing import TYPE_CHECKING

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_SUCCEEDED,
)

from verified_images.emulator.fake.ssh_channels import Start, Terminal, join_pipes, join_relay, join_terminal
from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    import socket
    import subprocess
    from collections.abc import Callable

    from verified_images.emulator.fake.guest import Guest

_LOGGER = logging.getLogger(__name__)
# Clients that only look whether somebody answers are no news to whoever has configured no logging.
_LOGGER.addHandler(logging.NullHandler())
_STAND_INS = "/usr/lib/stand-in"
_PEM = re.compile(r"-----BEGIN OPENSSH PRIVATE KEY-----.*?-----END OPENSSH PRIVATE KEY-----\n", re.DOTALL)
_KEY_CLASSES: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


class SshServer:
    """Serves SSH for one guest."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._lock = threading.Lock()
        self._transports: set[paramiko.Transport] = set()

    def serve(self, connection: socket.socket) -> None:
        """Serve a connection until it ends.

        Raises:
            HypervisorError: the guest is off, or has no host keys, or ended while the connection was made.
        """
        keys = self._host_keys()
        if not keys:
            raise HypervisorError(f"the guest {self._guest.spec.name} has no SSH host keys")
        # The group exchange needs a file of moduli.
        transport = paramiko.Transport(
            connection, disabled_algorithms={"kex": ["diffie-hellman-group-exchange-sha256"]}
        )
        transport.set_log_channel(_LOGGER.name)
        for key in keys:
            transport.add_server_key(key)
        with self._lock:
            self._transports.add(transport)
        try:
            self._check_running()
            transport.start_server(event=threading.Event(), server=_Login(self._guest, transport))
            transport.join()
        finally:
            transport.close()
            with self._lock:
                self._transports.discard(transport)

    def disconnect(self) -> None:
        """End all connections."""
        with self._lock:
            transports = tuple(self._transports)
        for transport in transports:
            transport.close()

    def _check_running(self) -> None:
        """Raise HypervisorError if the guest ended before ``disconnect`` could know of a connection."""
        if not self._guest.is_running:
            raise HypervisorError(f"the guest {self._guest.spec.name} is not running any more")

    def _host_keys(self) -> list[paramiko.PKey]:
        # Read for each connection, as sshd does: a deprovisioned guest lets nobody in.
        outcome = self._guest.sandbox.run("/bin/sh", "-c", "cat /etc/ssh/ssh_host_*_key")
        keys = (_parse_key(pem) for pem in _PEM.findall(outcome.stdout.decode(errors="replace")))
        return [key for key in keys if key]


def _parse_key(pem: str) -> paramiko.PKey | None:
    for key_class in _KEY_CLASSES:
        with contextlib.suppress(paramiko.SSHException, ValueError):
            return key_class.from_private_key(io.StringIO(pem))
    return None


class _Login(paramiko.ServerInterface):
    """What one client may do, asked by paramiko in the thread of its transport."""

    def __init__(self, guest: Guest, transport: paramiko.Transport) -> None:
        self._guest = guest
        self._transport = transport
        self._username = ""
        self._terminals: dict[int, Terminal] = {}
        self._lock = threading.Lock()
        self._tunnels: dict[int, paramiko.Channel | None] = {}

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - the same for all
        return "publickey,password"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        outcome = self._look_up("authorized-keys", username)
        wanted = key.get_base64()
        if outcome is None or not any(wanted in line.split() for line in outcome.splitlines()):
            return AUTH_FAILED
        self._username = username
        return AUTH_SUCCESSFUL

    def check_auth_password(self, username: str, password: str) -> int:
        if self._look_up("check-password", username, f"{password}\n".encode()) is None:
            return AUTH_FAILED
        self._username = username
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 - the number does not matter
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_pty_request(
        self, channel: paramiko.Channel, term: bytes, width: int, height: int, *_pixels_and_modes: object
    ) -> bool:
        self._terminals[channel.get_id()] = Terminal(term.decode(errors="replace"), width, height)
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        return self._start(channel, command.decode(errors="surrogateescape"))

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        return self._start(channel)

    def check_channel_direct_tcpip_request(
        self,
        chanid: int,
        origin: tuple[str, int],  # noqa: ARG002 - given by paramiko
        destination: tuple[str, int],
    ) -> int:
        host, port = destination
        own = {"localhost", "127.0.0.1", self._guest.spec.network.address}
        if host not in own or not self._guest.accepts(port, from_inside=True):
            return OPEN_FAILED_CONNECT_FAILED
        with self._lock:
            self._tunnels[chanid] = None

        def relay(*, stdin: int, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
            command = ["/bin/busybox", "nc", host, str(port)]
            return self._guest.sandbox.spawn(command, stdin=stdin, stdout=stdout, stderr=stderr)

        def work() -> None:
            if channel := self._opened_channel(chanid):
                _serve_channel(channel, lambda: join_relay(channel, relay))

        threading.Thread(target=work, name="fake-ssh-tunnel", daemon=True).start()
        return OPEN_SUCCEEDED

    def _look_up(self, question: str, username: str, stdin: bytes = b"") -> str | None:
        try:
            outcome = self._guest.sandbox.run(f"{_STAND_INS}/{question}", username, stdin=stdin)
        except HypervisorError:
            return None
        return outcome.stdout.decode(errors="replace") if outcome.returncode == 0 else None

    def _start(self, channel: paramiko.Channel, *command: str) -> bool:
        self._collect_channels()
        terminal = self._terminals.pop(channel.get_id(), None)
        network = self._guest.spec.network
        env = {"SSH_CONNECTION": f"{network.address} 50000 {network.address} 22"}
        login = [f"{_STAND_INS}/login", self._username, *command]
        if terminal:
            env["TERM"] = terminal.kind
            login = ["/bin/busybox", "setsid", "-c", *login]

        def start(*, stdin: int, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
            return self._guest.sandbox.spawn(login, stdin=stdin, stdout=stdout, stderr=stderr, env=env)

        def work() -> None:
            _serve_channel(channel, lambda: _join(channel, start, terminal))

        threading.Thread(target=work, name="fake-ssh-command", daemon=True).start()
        return True

    def _opened_channel(self, number: int) -> paramiko.Channel | None:
        while self._transport.is_active():
            self._collect_channels(wait=0.05)
            with self._lock:
                if channel := self._tunnels.get(number):
                    del self._tunnels[number]
                    return channel
        return None

    def _collect_channels(self, wait: float = 0.0) -> None:
        # paramiko keeps every channel that a client opens until it is taken.
        while channel := self._transport.accept(wait):
            with self._lock:
                if channel.get_id() in self._tunnels:
                    self._tunnels[channel.get_id()] = channel
            wait = 0.0


def _join(channel: paramiko.Channel, start: Start, terminal: Terminal | None) -> None:
    if terminal:
        join_terminal(channel, start, terminal)
    else:
        join_pipes(channel, start)


def _serve_channel(channel: paramiko.Channel, work: Callable[[], None]) -> None:
    # A guest that ends takes its channels with it.
    with contextlib.suppress(HypervisorError, OSError, EOFError, paramiko.SSHException):
        work()
    with contextlib.suppress(OSError, EOFError):
        channel.close()
