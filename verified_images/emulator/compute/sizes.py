"""VM sizes: what an Azure size gives a machine. Source: Azure, "Sizes for virtual machines in Azure"."""

from __future__ import annotations

from dataclasses import dataclass

from verified_images.emulator.arm_errors import ArmError


@dataclass(frozen=True, slots=True)
class Size:
    """One size: its family for quotas, what it gives, and which generations it boots."""

    name: str
    family: str
    cpus: int
    memory_gb: float
    resource_disk_gb: int = 0
    max_data_disks: int = 4
    generations: tuple[str, ...] = ("V1", "V2")
    premium: bool = True


SIZES = {
    size.name.lower(): size
    for size in (
        Size("Standard_A1", "standardA0_A7Family", 1, 1.75, 70, 2, ("V1",), premium=False),
        Size("Standard_A1_v2", "standardAv2Family", 1, 2, 10, 2, ("V1",), premium=False),
        Size("Standard_A2_v2", "standardAv2Family", 2, 4, 20, 4, ("V1",), premium=False),
        Size("Standard_B1s", "standardBSFamily", 1, 1, 4, 2),
        Size("Standard_B1ms", "standardBSFamily", 1, 2, 4, 2),
        Size("Standard_B2s", "standardBSFamily", 2, 4, 8, 4),
        Size("Standard_B2ms", "standardBSFamily", 2, 8, 16, 4),
        Size("Standard_B4ms", "standardBSFamily", 4, 16, 32, 8),
        Size("Standard_B2s_v2", "standardBsv2Family", 2, 8, 0, 4),
        Size("Standard_D2_v2", "standardDv2Family", 2, 7, 100, 8, ("V1",), premium=False),
        Size("Standard_D1_v2", "standardDv2Family", 1, 3.5, 50, 4, ("V1",), premium=False),
        Size("Standard_DS1_v2", "standardDSv2Family", 1, 3.5, 7, 4),
        Size("Standard_DS2_v2", "standardDSv2Family", 2, 7, 14, 8),
        Size("Standard_D2s_v3", "standardDSv3Family", 2, 8, 16, 4),
        Size("Standard_D4s_v3", "standardDSv3Family", 4, 16, 32, 8),
        Size("Standard_D2s_v5", "standardDSv5Family", 2, 8, 0, 4),
        Size("Standard_D4s_v5", "standardDSv5Family", 4, 16, 0, 8),
        Size("Standard_D2ds_v5", "standardDDSv5Family", 2, 8, 75, 4),
        Size("Standard_D2as_v5", "standardDASv5Family", 2, 8, 0, 4),
        Size("Standard_D2s_v6", "standardDsv6Family", 2, 8, 0, 8, ("V2",)),
        Size("Standard_E2s_v5", "standardESv5Family", 2, 16, 0, 4),
        Size("Standard_F2s_v2", "standardFSv2Family", 2, 4, 16, 4),
        Size("Standard_F4s_v2", "standardFSv2Family", 4, 8, 32, 8),
    )
}


def find_size(name: str) -> Size:
    """Give a size by its name, without regard to case.

    Raises:
        ArmError: 400 InvalidParameter: there is no such size.
    """
    size = SIZES.get(name.lower())
    if size is None:
        raise ArmError(
            400,
            "InvalidParameter",
            f"The value {name} provided for the VM size is not valid. The valid sizes in the current region are: "
            f"{','.join(known.name for known in SIZES.values())}. Find out more on the valid VM sizes in each region "
            "at https://aka.ms/azure-regions.",
            target="vmSize",
        )
    return size
