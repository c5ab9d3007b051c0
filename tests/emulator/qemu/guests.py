"""Guests as the tests ask for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.emulator.hypervisor import GuestNetwork, GuestSpec, ProvisioningData

if TYPE_CHECKING:
    from verified_images.emulator.hypervisor import Generation

CACHE = Path(os.environ.get("VI_CACHE") or Path.home() / ".cache/verified-images")
"""Where base images are kept between runs of the tests."""


def make_spec(
    name: str = "6f1c2a34-9d1e-4b53-8c0a-2f6d4c1b7e90",
    *disks: Path,
    generation: Generation = "V1",
    address: str = "10.0.0.4",
    provisioning: ProvisioningData | None = None,
    memory_mib: int = 1024,
) -> GuestSpec:
    network = GuestNetwork("00-0D-3A-12-34-56", address, "10.0.0.0/24")
    return GuestSpec(name, disks, 2, memory_mib, generation, network, provisioning)


def make_provisioning(
    host_name: str = "builder",
    *,
    username: str = "azureuser",
    password: str | None = None,
    custom_data: bytes | None = None,
    user_data: bytes | None = None,
) -> ProvisioningData:
    return ProvisioningData(
        instance_id=f"id-of-{host_name}",
        host_name=host_name,
        username=username,
        ssh_keys=("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB made-for-a-test",),
        password=password,
        custom_data=custom_data,
        user_data=user_data,
    )
