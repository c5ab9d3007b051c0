"""Guests of the fake hypervisor, and clients that log in to them."""

from __future__ import annotations

import io
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from verified_images.emulator.fake.hypervisor import FakeHypervisor
from verified_images.emulator.hypervisor import GuestNetwork, GuestSpec, ProvisioningData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Result:
    """What a command gave."""

    code: int
    stdout: str
    stderr: str


class Login:
    """A connection of a user to a guest."""

    def __init__(self, client: paramiko.SSHClient) -> None:
        self.client = client

    def run(self, command: str, stdin: bytes = b"") -> Result:
        channel = self.session()
        channel.exec_command(command)
        channel.sendall(stdin)
        channel.shutdown_write()
        stdout, stderr = channel.makefile("rb").read(), channel.makefile_stderr("rb").read()
        return Result(channel.recv_exit_status(), stdout.decode(), stderr.decode())

    def output(self, command: str) -> str:
        result = self.run(command)
        assert result.code == 0, result
        return result.stdout.strip()

    def session(self) -> paramiko.Channel:
        transport = self.client.get_transport()
        assert transport is not None
        channel = transport.open_session()
        channel.settimeout(20)
        return channel


class _AnyHostKey(paramiko.MissingHostKeyPolicy):
    """Lets every host key pass: what guests show is compared by the tests that are about it."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        pass


class Boot(Protocol):
    def __call__(
        self,
        name: str = "vm",
        *,
        base: Path | None = None,
        provisioning: ProvisioningData | None = ...,
        wait: bool = True,
    ) -> GuestSpec: ...


class LogIn(Protocol):
    def __call__(self, name: str = "vm", user: str = "azureuser", **options: object) -> Login: ...


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def key() -> paramiko.PKey:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return paramiko.Ed25519Key.from_private_key(io.StringIO(pem.decode()))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def hypervisor(state: Path, cache: Path) -> Iterator[FakeHypervisor]:
    hypervisor = FakeHypervisor(state, cache)
    yield hypervisor
    hypervisor.close()


@pytest.fixture
def marketplace(hypervisor: FakeHypervisor) -> Path:
    return hypervisor.marketplace_disk("Debian:debian-12:12-gen2", "V2")


@pytest.fixture
def provisioning(key: paramiko.PKey) -> Callable[..., ProvisioningData]:
    def make(name: str = "vm", **changes: object) -> ProvisioningData:
        facts: dict[str, object] = {
            "instance_id": f"id-of-{name}",
            "host_name": f"{name}-host",
            "username": "azureuser",
            "ssh_keys": (f"{key.get_name()} {key.get_base64()} run",),
        }
        return ProvisioningData(**{**facts, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def spec(state: Path, provisioning: Callable[..., ProvisioningData]) -> Callable[..., GuestSpec]:
    def make(name: str = "vm", data: ProvisioningData | str | None = "default") -> GuestSpec:
        network = GuestNetwork("00:0d:3a:00:00:01", "10.0.0.4", "10.0.0.0/24")
        chosen = provisioning(name) if isinstance(data, str) else data
        return GuestSpec(name, (state / "disks" / name,), 1, 512, "V2", network, chosen)

    return make


@pytest.fixture
def boot(hypervisor: FakeHypervisor, marketplace: Path, spec: Callable[..., GuestSpec]) -> Boot:
    def start(
        name: str = "vm",
        *,
        base: Path | None = None,
        provisioning: ProvisioningData | str | None = "default",
        wait: bool = True,
    ) -> GuestSpec:
        wanted = spec(name, provisioning)
        hypervisor.create_disk(wanted.disks[0], base=base or marketplace, size_bytes=None)
        hypervisor.start(wanted)
        if wait:
            hypervisor.wait_until_provisioned(name, 20)
        return wanted

    return start


@pytest.fixture
def log_in(hypervisor: FakeHypervisor, key: paramiko.PKey) -> Iterator[LogIn]:
    with ExitStack() as undo:

        def connect(name: str = "vm", user: str = "azureuser", **options: object) -> Login:
            host, port = hypervisor.forward(name, 22)
            connection = socket.create_connection((host, port), timeout=20)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            undo.callback(connection.close)
            client = paramiko.SSHClient()
            undo.callback(client.close)
            client.set_missing_host_key_policy(_AnyHostKey())
            chosen = {"pkey": key, "sock": connection, **options}
            client.connect(host, port, user, look_for_keys=False, allow_agent=False, timeout=20, **chosen)  # type: ignore[arg-type]
            return Login(client)

        yield connect
