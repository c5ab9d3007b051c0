"""VM sizes: what an Azure size gives a machine. Source: Azure, "Sizes for virtual machines in Azure"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def _series(  # noqa: PLR0913 - the facts of a series
    pattern: str,
    family: str,
    cpus: tuple[int, ...],
    memory_gb: float,
    *,
    disk_gb: int = 0,
    disks: int = 4,
    generations: tuple[str, ...] = ("V1", "V2"),
    premium: bool = True,
) -> Iterator[Size]:
    """Give the sizes of a series, which differ in CPUs alone; memory and resource disk are those of one CPU."""
    for count in cpus:
        name, most_disks = pattern.format(count), min(disks * max(count // 2, 1), _MOST_DISKS)
        yield Size(name, family, count, memory_gb * count, disk_gb * count, most_disks, generations, premium=premium)


_MOST_DISKS = 32
_UP_TO_16 = (2, 4, 8, 16)
_UP_TO_64 = (2, 4, 8, 16, 32, 48, 64)
_ALL = (
    Size("Basic_A0", "basicAFamily", 1, 0.75, 20, 1, ("V1",), premium=False),
    Size("Basic_A1", "basicAFamily", 1, 1.75, 40, 2, ("V1",), premium=False),
    Size("Standard_A0", "standardA0_A7Family", 1, 0.75, 20, 1, ("V1",), premium=False),
    Size("Standard_A1", "standardA0_A7Family", 1, 1.75, 70, 2, ("V1",), premium=False),
    Size("Standard_A2", "standardA0_A7Family", 2, 3.5, 135, 4, ("V1",), premium=False),
    Size("Standard_A3", "standardA0_A7Family", 4, 7, 285, 8, ("V1",), premium=False),
    Size("Standard_A1_v2", "standardAv2Family", 1, 2, 10, 2, ("V1",), premium=False),
    Size("Standard_A2_v2", "standardAv2Family", 2, 4, 20, 4, ("V1",), premium=False),
    Size("Standard_A4_v2", "standardAv2Family", 4, 8, 40, 8, ("V1",), premium=False),
    Size("Standard_A8_v2", "standardAv2Family", 8, 16, 80, 16, ("V1",), premium=False),
    Size("Standard_B1ls", "standardBSFamily", 1, 0.5, 4, 2),
    Size("Standard_B1s", "standardBSFamily", 1, 1, 4, 2),
    Size("Standard_B1ms", "standardBSFamily", 1, 2, 4, 2),
    Size("Standard_B2s", "standardBSFamily", 2, 4, 8, 4),
    Size("Standard_B2ms", "standardBSFamily", 2, 8, 16, 4),
    Size("Standard_B4ms", "standardBSFamily", 4, 16, 32, 8),
    Size("Standard_B8ms", "standardBSFamily", 8, 32, 64, 16),
    Size("Standard_B2ts_v2", "standardBsv2Family", 2, 1, 0, 4),
    Size("Standard_B2ls_v2", "standardBsv2Family", 2, 4, 0, 4),
    *_series("Standard_B{}s_v2", "standardBsv2Family", (2, 4, 8, 16, 32), 4),
    Size("Standard_D1", "standardDFamily", 1, 3.5, 50, 4, ("V1",), premium=False),
    Size("Standard_D2", "standardDFamily", 2, 7, 100, 8, ("V1",), premium=False),
    Size("Standard_D1_v2", "standardDv2Family", 1, 3.5, 50, 4, ("V1",), premium=False),
    Size("Standard_D2_v2", "standardDv2Family", 2, 7, 100, 8, ("V1",), premium=False),
    Size("Standard_D3_v2", "standardDv2Family", 4, 14, 200, 16, ("V1",), premium=False),
    Size("Standard_D4_v2", "standardDv2Family", 8, 28, 400, 32, ("V1",), premium=False),
    Size("Standard_D5_v2", "standardDv2Family", 16, 56, 800, 64, ("V1",), premium=False),
    Size("Standard_D11_v2", "standardDv2Family", 2, 14, 100, 8, ("V1",), premium=False),
    Size("Standard_D12_v2", "standardDv2Family", 4, 28, 200, 16, ("V1",), premium=False),
    Size("Standard_DS1", "standardDSFamily", 1, 3.5, 7, 4, ("V1",)),
    Size("Standard_DS2", "standardDSFamily", 2, 7, 14, 8, ("V1",)),
    Size("Standard_DS1_v2", "standardDSv2Family", 1, 3.5, 7, 4),
    Size("Standard_DS2_v2", "standardDSv2Family", 2, 7, 14, 8),
    Size("Standard_DS3_v2", "standardDSv2Family", 4, 14, 28, 16),
    Size("Standard_DS4_v2", "standardDSv2Family", 8, 28, 56, 32),
    Size("Standard_DS5_v2", "standardDSv2Family", 16, 56, 112, 64),
    Size("Standard_DS11_v2", "standardDSv2Family", 2, 14, 28, 8),
    Size("Standard_F1s", "standardFSFamily", 1, 2, 4, 4),
    Size("Standard_F2s", "standardFSFamily", 2, 4, 8, 8),
    *_series("Standard_D{}_v3", "standardDv3Family", _UP_TO_64, 4, disk_gb=25, generations=("V1",), premium=False),
    *_series("Standard_D{}s_v3", "standardDSv3Family", _UP_TO_64, 4, disk_gb=8),
    *_series("Standard_D{}_v4", "standardDv4Family", _UP_TO_64, 4, premium=False),
    *_series("Standard_D{}s_v4", "standardDSv4Family", _UP_TO_64, 4),
    *_series("Standard_D{}ds_v4", "standardDDSv4Family", _UP_TO_64, 4, disk_gb=37),
    *_series("Standard_D{}a_v4", "standardDAv4Family", _UP_TO_64, 4, disk_gb=25, generations=("V1",), premium=False),
    *_series("Standard_D{}as_v4", "standardDASv4Family", _UP_TO_64, 4, disk_gb=8),
    *_series("Standard_D{}_v5", "standardDv5Family", _UP_TO_64, 4, premium=False),
    *_series("Standard_D{}s_v5", "standardDSv5Family", _UP_TO_64, 4),
    *_series("Standard_D{}ds_v5", "standardDDSv5Family", _UP_TO_64, 4, disk_gb=37),
    *_series("Standard_D{}as_v5", "standardDASv5Family", _UP_TO_64, 4),
    *_series("Standard_D{}ads_v5", "standardDADSv5Family", _UP_TO_64, 4, disk_gb=37),
    *_series("Standard_D{}s_v6", "standardDsv6Family", _UP_TO_64, 4, disks=8, generations=("V2",)),
    *_series("Standard_E{}s_v3", "standardESv3Family", _UP_TO_64, 8, disk_gb=16),
    *_series("Standard_E{}s_v4", "standardESv4Family", _UP_TO_64, 8),
    *_series("Standard_E{}s_v5", "standardESv5Family", _UP_TO_64, 8),
    *_series("Standard_E{}as_v5", "standardEASv5Family", _UP_TO_64, 8),
    *_series("Standard_F{}s_v2", "standardFSv2Family", _UP_TO_64, 2, disk_gb=8),
    *_series("Standard_L{}s_v3", "standardLSv3Family", _UP_TO_16[2:], 8, disk_gb=10, disks=8),
)
SIZES = {size.name.lower(): size for size in _ALL}


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
