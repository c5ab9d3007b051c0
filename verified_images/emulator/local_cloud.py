"""A local Azure, from start to close: in process for a test run, or stand-alone for ``verified-images local serve``."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from verified_images.emulator import authorization, compute, identity, local_calls, network, polling, resource_manager
from verified_images.emulator.access import access_to
from verified_images.emulator.account import ensure_account
from verified_images.emulator.announcement import announce, withdraw
from verified_images.emulator.app import make_app
from verified_images.emulator.certificates import ensure_certificates
from verified_images.emulator.cloud import Cloud
from verified_images.emulator.faults import Faults
from verified_images.emulator.folder_lock import FolderInUseError, lock_folder
from verified_images.emulator.identity.applications import make_application
from verified_images.emulator.network.gateway import Gateway
from verified_images.emulator.network.private_traffic import route
from verified_images.emulator.offering import Offering
from verified_images.emulator.operations import Operations
from verified_images.emulator.records import Records
from verified_images.emulator.recovery import recover
from verified_images.emulator.routing import Routes
from verified_images.emulator.server import Server
from verified_images.emulator.storage.blob_copies import fail_interrupted
from verified_images.emulator.storage.blob_records import remove_stray_files
from verified_images.emulator.storage.storage_accounts import StorageAccounts
from verified_images.emulator.store import Store
from verified_images.emulator.timing import Timing
from verified_images.emulator.user_assigned_identities import UserAssignedIdentities

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from verified_images.emulator.access import Access
    from verified_images.emulator.account import Account
    from verified_images.emulator.fault_rules import FaultRule
    from verified_images.emulator.hypervisor import Hypervisor
    from verified_images.emulator.identity.applications import Application, NewApplication
    from verified_images.emulator.lifecycle import Kind
    from verified_images.emulator.routing import Route

HypervisorName = Literal["qemu", "fake"]


class StateInUseError(Exception):
    """Another process uses the folder of this local Azure."""


def default_state() -> Path:
    """Give the folder of the user's own local Azure. Source: XDG Base Directory Specification."""
    return _xdg("XDG_DATA_HOME", ".local/share") / "verified-images" / "local"


def default_cache() -> Path:
    """Give the folder of base images. Source: XDG Base Directory Specification."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "verified-images"


def _xdg(variable: str, otherwise: str) -> Path:
    given = os.environ.get(variable, "")
    return Path(given) if given.startswith("/") else Path.home() / otherwise


@dataclass(frozen=True, slots=True)
class Options:
    """How a local Azure is run. ``cache`` keeps what several installations share: base images.

    ``progress`` is told, a line at a time, of work that takes long: a base image that is being built.
    ``announced`` lets other processes of the user find it. ``faults`` are the rules that hold from the start,
    ``token_lifetime`` is the seconds for which an access token is good.
    """

    hypervisor: HypervisorName | Hypervisor = "qemu"
    cache: Path = field(default_factory=default_cache)
    port: int = 0
    proxy_port: int = 0
    timing: Timing = field(default_factory=Timing)
    progress: Callable[[str], None] | None = None
    announced: bool = False
    faults: tuple[FaultRule, ...] = ()
    token_lifetime: int = 3599


class LocalCloud:
    """A running local Azure; closing it stops its machines and keeps its state.

    ``endpoint`` is Resource Manager's URL and the authority of tokens, ``ca_bundle`` the file to verify it with,
    ``account`` who to log in as, ``proxy`` the SOCKS5 URL under which its public addresses are reached, and Azure's own
    hosts lead to it (HTTP CONNECT is spoken there too), ``faults`` the rules by which it misbehaves.
    """

    def __init__(self, state: Path, options: Options | None = None) -> None:
        """Start a local Azure on the folder ``state``.

        Raises:
            StateInUseError: another process uses the folder.
        """
        self.state = state.absolute()
        options = options or Options()
        with ExitStack() as undo:
            self._start(undo, options)
            self._undo = undo.pop_all()

    def _start(self, undo: ExitStack, options: Options) -> None:
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        undo.callback(_lock(self.state))
        withdraw(self.state)
        certificates = ensure_certificates(self.state / "ca")
        self.ca_bundle = certificates.ca_bundle
        self.account: Account = ensure_account(self.state / "account.json")
        hypervisor = _open_hypervisor(self.state, options)
        undo.callback(hypervisor.close)
        store = Store(self.state / "arm.sqlite")
        undo.callback(store.close)
        known: tuple[Kind, ...] = (
            *network.kinds(),
            *compute.kinds(),
            *resource_manager.kinds(),
            StorageAccounts(),
            UserAssignedIdentities(),
        )
        kinds = {kind.type.lower(): kind for kind in known}
        secret = hashlib.sha256(f"operations {self.account.client_secret}".encode()).digest()
        self.faults = Faults(options.faults)
        operations = Operations(store, options.timing, certificates.server_der(), secret, faults=self.faults)
        records = Records(self.state / "records.sqlite")
        undo.callback(records.close)
        self.cloud = Cloud(
            self.state,
            self.account,
            store,
            operations,
            hypervisor,
            kinds,
            routes=_all_routes(kinds),
            faults=self.faults,
            records=records,
            token_lifetime=options.token_lifetime,
            offering=Offering.load(self.state / "offering.json"),
        )
        compute.recover(self.cloud)
        recover(self.cloud)
        fail_interrupted(self.cloud)
        remove_stray_files(self.cloud)
        gateway = Gateway(self.cloud, options.proxy_port)
        undo.callback(gateway.close)
        hypervisor.route_by(partial(route, self.cloud, gateway.balancing))
        self.proxy = f"socks5://127.0.0.1:{gateway.port}"
        server = Server(make_app(self.cloud), certificates, options.port)
        undo.callback(server.close)
        server.start()
        gateway.resource_manager = server.port
        undo.callback(self.cloud.closing.set)
        self.endpoint = f"https://127.0.0.1:{server.port}"
        if options.announced:
            announce(self.state, self.endpoint, self.proxy)
            undo.callback(withdraw, self.state)

    @property
    def access(self) -> Access:
        """What a client has to know."""
        return access_to(self.account, endpoint=self.endpoint, ca_bundle=self.ca_bundle, proxy=self.proxy)

    def add_application(self, wanted: NewApplication) -> tuple[Application, str]:
        """Make an application that can log in, and give it with its secret, which is told only now.

        Raises:
            ApplicationError: a certificate cannot be read.
            ArmError: 404: there is no such role.
        """
        return make_application(self.cloud, wanted)

    def close(self) -> None:
        """Stop serving, stop the machines, release the folder."""
        self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _all_routes(kinds: dict[str, Kind]) -> Routes:
    table = [
        *resource_manager.routes(),
        *authorization.routes(),
        *identity.routes(),
        *polling.routes(),
        *local_calls.routes(),
        *network.routes(),
        *compute.routes(),
    ]
    for kind in kinds.values():
        table.extend(replace(route, type=kind.type, versions=_versions(kind, route)) for route in kind.routes())
    return Routes(table)


def _versions(kind: Kind, route: Route) -> tuple[str, ...]:
    """Give the api-versions of a call; the network provider, whose versions are others, has a part of scale sets."""
    belongs_to_network = "/networkInterfaces" in route.pattern or "/publicIPAddresses" in route.pattern
    return () if belongs_to_network else kind.api_versions


def _open_hypervisor(state: Path, options: Options) -> Hypervisor:
    if options.hypervisor == "qemu":
        from verified_images.emulator.qemu.hypervisor import QemuHypervisor  # noqa: PLC0415 - only who needs it

        return QemuHypervisor(state, options.cache, progress=options.progress)
    if options.hypervisor == "fake":
        from verified_images.emulator.fake.hypervisor import FakeHypervisor  # noqa: PLC0415 - only who needs it

        return FakeHypervisor(state, options.cache, progress=options.progress)
    return options.hypervisor


def _lock(state: Path) -> Callable[[], None]:
    try:
        return lock_folder(state, "lock")
    except FolderInUseError as error:
        raise StateInUseError(
            f"the local Azure in {state} is in use by process {error.owner}; wait for it, or choose another folder"
        ) from error
