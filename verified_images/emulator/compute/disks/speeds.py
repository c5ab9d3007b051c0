"""The speed of managed disks by kind and size. Source: Azure, "Scalability and performance targets for VM disks"."""

from __future__ import annotations

from typing import Any

_PREMIUM = (
    (4, "P1", 120, 25),
    (8, "P2", 120, 25),
    (16, "P3", 120, 25),
    (32, "P4", 120, 25),
    (64, "P6", 240, 50),
    (128, "P10", 500, 100),
    (256, "P15", 1100, 125),
    (512, "P20", 2300, 150),
    (1024, "P30", 5000, 200),
    (2048, "P40", 7500, 250),
    (4096, "P50", 7500, 250),
    (8192, "P60", 16000, 500),
    (16384, "P70", 18000, 750),
    (32767, "P80", 20000, 900),
)
_STANDARD_SSD = ((4096, 500, 60), (8192, 2000, 400), (16384, 4000, 600), (32767, 6000, 750))
_STANDARD = ((4096, 500, 60), (8192, 1300, 300), (32767, 2000, 500))


_ADJUSTABLE = {"UltraSSD_LRS", "PremiumV2_LRS"}
_ULTRA = {"readOnly": False, "diskIOPSReadOnly": 100, "diskMBpsReadOnly": 13, "maxShares": 1}
_SECTOR = 4096


def is_adjustable(sku: str) -> bool:
    """Tell whether the speed of a kind of disks is chosen by whoever makes one."""
    return sku in _ADJUSTABLE


def adjustable_defaults(sku: str, creation: dict[str, Any]) -> dict[str, Any]:
    """Give what an adjustable disk has beyond others, its creation data with the size of its sectors among it."""
    if not is_adjustable(sku):
        return {}
    return {**_ULTRA, "creationData": {"logicalSectorSize": _SECTOR, **creation}}


def speed_of(sku: str, size_gb: int) -> dict[str, Any]:
    """Give the properties that tell a disk's speed; a premium disk has a tier as well."""
    if sku.startswith("Premium_"):
        tier, iops, mbps = next(row[1:] for row in _PREMIUM if size_gb <= row[0])
        return {"diskIOPSReadWrite": iops, "diskMBpsReadWrite": mbps, "tier": tier}
    table = _STANDARD_SSD if sku.startswith("StandardSSD_") else _STANDARD
    iops, mbps = next(row[1:] for row in table if size_gb <= row[0])
    return {"diskIOPSReadWrite": iops, "diskMBpsReadWrite": mbps}
