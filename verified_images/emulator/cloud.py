"""What every handler of the local Azure works with."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verified_images.emulator.offering import Offering
from verified_images.emulator.statistics import Statistics

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.emulator.account import Account
    from verified_images.emulator.faults import Faults
    from verified_images.emulator.hypervisor import Hypervisor
    from verified_images.emulator.lifecycle import Kind
    from verified_images.emulator.operations import Operations
    from verified_images.emulator.records import Records
    from verified_images.emulator.routing import Routes
    from verified_images.emulator.store import Store


@dataclass(frozen=True, slots=True)
class Cloud:
    """The state and the parts of one local Azure.

    ``folder`` is where it keeps everything; ``closing`` is set when it is being closed, for what runs by itself.
    """

    folder: Path
    account: Account
    store: Store
    operations: Operations
    hypervisor: Hypervisor
    kinds: dict[str, Kind]
    routes: Routes
    faults: Faults
    records: Records
    page_size: int = 100
    token_lifetime: int = 3599
    statistics: Statistics = field(default_factory=Statistics)
    closing: threading.Event = field(default_factory=threading.Event)
    offering: Offering = field(default_factory=Offering)

    def kind_of(self, type_name: str) -> Kind | None:
        """Give the resource type's implementation, or None for a type that is not emulated."""
        return self.kinds.get(type_name.lower())
