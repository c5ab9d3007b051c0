"""VM sizes: what an Azure size gives a machine. Source: Azure, "Sizes for virtual machines in Azure"."""

from __future__ import annotations

from dataclasses import dataclass

from verified_images.emulator.arm_errors import ArmError

_BOTH = ("V1", "V2")


@dataclass(frozen=True, slots=True)
class Size:
    """One size: its family for quotas, what it gives, and which generations it boots.

    ``resource_disk_gb`` and ``cached_gb`` are what an ephemeral OS disk may take of the temporary disk and the cache.
    """

    name: str
    family: str
    cpus: int
    memory_gb: float
    resource_disk_gb: int = 0
    max_data_disks: int = 4
    generations: tuple[str, ...] = _BOTH
    premium: bool = True
    cached_gb: int = 0
    spot: bool = True
    confidential: bool = False

    @property
    def trusted_launch(self) -> bool:
        """Whether machines of the size may be of security type TrustedLaunch."""
        return "V2" in self.generations and not self.confidential


@dataclass(frozen=True, slots=True)
class Series:
    """Sizes that differ in their number of vCPUs only: ``name`` has ``{}`` for it, the rest is per vCPU."""

    name: str
    family: str
    cpus: tuple[int, ...]
    memory_gb: float
    temporary_gb: float = 0
    cached_gb: float = 0
    generations: tuple[str, ...] = _BOTH
    premium: bool = True
    confidential: bool = False

    def sizes(self) -> list[Size]:
        """Give the sizes of the series."""
        return [
            Size(
                self.name.format(cpus),
                self.family,
                cpus,
                self.memory_gb * cpus,
                int(self.temporary_gb * cpus),
                min(2 * cpus, 32),
                self.generations,
                self.premium,
                int(self.cached_gb * cpus),
                confidential=self.confidential,
            )
            for cpus in self.cpus
        ]


_SMALL, _LARGE = (2, 4, 8, 16, 32), (2, 4, 8, 16, 32, 48, 64)
_SERIES = (
    Series("Standard_D{}_v3", "standardDv3Family", _LARGE, 4, 25, 0, ("V1",), premium=False),
    Series("Standard_D{}s_v3", "standardDSv3Family", _LARGE, 4, 8, 25),
    Series("Standard_D{}_v4", "standardDv4Family", _LARGE, 4, 0, 0, premium=False),
    Series("Standard_D{}s_v4", "standardDSv4Family", _LARGE, 4, 0, 25),
    Series("Standard_D{}ds_v4", "standardDDSv4Family", _LARGE, 4, 37.5, 25),
    Series("Standard_D{}a_v4", "standardDAv4Family", _LARGE, 4, 25, 0, premium=False),
    Series("Standard_D{}as_v4", "standardDASv4Family", _LARGE, 4, 8, 25),
    Series("Standard_D{}_v5", "standardDv5Family", _LARGE, 4, premium=False),
    Series("Standard_D{}s_v5", "standardDSv5Family", _LARGE, 4),
    Series("Standard_D{}ds_v5", "standardDDSv5Family", _LARGE, 4, 37.5, 25),
    Series("Standard_D{}as_v5", "standardDASv5Family", _LARGE, 4),
    Series("Standard_D{}ads_v5", "standardDADSv5Family", _LARGE, 4, 37.5, 25),
    Series("Standard_D{}s_v6", "standardDsv6Family", _LARGE, 4, generations=("V2",)),
    Series("Standard_D{}ds_v6", "standardDdsv6Family", _LARGE, 4, 55, generations=("V2",)),
    Series("Standard_D{}as_v6", "standardDav6Family", _LARGE, 4, generations=("V2",)),
    Series("Standard_E{}_v3", "standardEv3Family", _SMALL, 8, 25, 0, premium=False),
    Series("Standard_E{}s_v3", "standardESv3Family", _LARGE, 8, 16, 25),
    Series("Standard_E{}s_v4", "standardESv4Family", _LARGE, 8, 0, 25),
    Series("Standard_E{}as_v4", "standardEASv4Family", _SMALL, 8, 16, 25),
    Series("Standard_E{}s_v5", "standardESv5Family", _LARGE, 8),
    Series("Standard_E{}ds_v5", "standardEDSv5Family", _SMALL, 8, 37.5, 25),
    Series("Standard_E{}as_v5", "standardEASv5Family", _LARGE, 8),
    Series("Standard_L{}s_v3", "standardLSv3Family", (8, 16, 32, 48, 64), 8, 10),
    Series("Standard_F{}s_v2", "standardFSv2Family", _LARGE, 2, 8, 16),
    Series("Standard_F{}s", "standardFSFamily", (1, 2, 4, 8, 16), 2, 4, 12, ("V1", "V2")),
    Series("Standard_F{}", "standardFFamily", (1, 2, 4, 8, 16), 2, 16, 0, ("V1",), premium=False),
    Series("Standard_B{}s_v2", "standardBsv2Family", _SMALL, 4),
    Series("Standard_B{}as_v2", "standardBasv2Family", _SMALL, 4),
    Series("Standard_DC{}as_v5", "standardDCASv5Family", _SMALL, 4, generations=("V2",), confidential=True),
    Series("Standard_DC{}ads_v5", "standardDCADSv5Family", _SMALL, 4, 37.5, generations=("V2",), confidential=True),
    Series("Standard_EC{}as_v5", "standardECASv5Family", _SMALL, 8, generations=("V2",), confidential=True),
)
_A0_A7, _AV2 = "standardA0_A7Family", "standardAv2Family"
_DV2, _DSV2, _BS = "standardDv2Family", "standardDSv2Family", "standardBSFamily"
_OLD = ("V1",)
_SINGLE = (
    Size("Basic_A0", "basicAFamily", 1, 0.75, 20, 1, _OLD, premium=False, spot=False),
    Size("Basic_A1", "basicAFamily", 1, 1.75, 40, 2, _OLD, premium=False, spot=False),
    Size("Standard_A0", _A0_A7, 1, 0.75, 20, 1, _OLD, premium=False),
    Size("Standard_A1", _A0_A7, 1, 1.75, 70, 2, _OLD, premium=False),
    Size("Standard_A2", _A0_A7, 2, 3.5, 135, 4, _OLD, premium=False),
    Size("Standard_A3", _A0_A7, 4, 7, 285, 8, _OLD, premium=False),
    Size("Standard_A1_v2", _AV2, 1, 2, 10, 2, _OLD, premium=False),
    Size("Standard_A2_v2", _AV2, 2, 4, 20, 4, _OLD, premium=False),
    Size("Standard_A4_v2", _AV2, 4, 8, 40, 8, _OLD, premium=False),
    Size("Standard_A8_v2", _AV2, 8, 16, 80, 16, _OLD, premium=False),
    Size("Standard_B2ts_v2", "standardBsv2Family", 2, 1),
    Size("Standard_B2ls_v2", "standardBsv2Family", 2, 4),
    Size("Standard_B1ls", _BS, 1, 0.5, 4, 2, spot=False, cached_gb=30),
    Size("Standard_B1s", _BS, 1, 1, 4, 2, spot=False, cached_gb=30),
    Size("Standard_B1ms", _BS, 1, 2, 4, 2, spot=False, cached_gb=30),
    Size("Standard_B2s", _BS, 2, 4, 8, 4, spot=False, cached_gb=30),
    Size("Standard_B2ms", _BS, 2, 8, 16, 4, spot=False, cached_gb=30),
    Size("Standard_B4ms", _BS, 4, 16, 32, 8, spot=False, cached_gb=30),
    Size("Standard_B8ms", _BS, 8, 32, 64, 16, spot=False, cached_gb=30),
    Size("Standard_D1", "standardDFamily", 1, 3.5, 50, 4, _OLD, premium=False),
    Size("Standard_D2", "standardDFamily", 2, 7, 100, 8, _OLD, premium=False),
    Size("Standard_DS1", "standardDSFamily", 1, 3.5, 7, 4, _OLD, cached_gb=43),
    Size("Standard_DS2", "standardDSFamily", 2, 7, 14, 8, _OLD, cached_gb=86),
    Size("Standard_D11_v2", _DV2, 2, 14, 100, 8, _OLD, premium=False),
    Size("Standard_D12_v2", _DV2, 4, 28, 200, 16, _OLD, premium=False),
    Size("Standard_D1_v2", _DV2, 1, 3.5, 50, 4, _OLD, premium=False),
    Size("Standard_D2_v2", _DV2, 2, 7, 100, 8, _OLD, premium=False),
    Size("Standard_D3_v2", _DV2, 4, 14, 200, 16, _OLD, premium=False),
    Size("Standard_D4_v2", _DV2, 8, 28, 400, 32, _OLD, premium=False),
    Size("Standard_D5_v2", _DV2, 16, 56, 800, 64, _OLD, premium=False),
    Size("Standard_DS1_v2", _DSV2, 1, 3.5, 7, 4, cached_gb=43),
    Size("Standard_DS2_v2", _DSV2, 2, 7, 14, 8, cached_gb=86),
    Size("Standard_DS3_v2", _DSV2, 4, 14, 28, 16, cached_gb=172),
    Size("Standard_DS4_v2", _DSV2, 8, 28, 56, 32, cached_gb=344),
    Size("Standard_DS5_v2", _DSV2, 16, 56, 112, 64, cached_gb=688),
    Size("Standard_DS11_v2", _DSV2, 2, 14, 28, 8, cached_gb=72),
)
SIZES = {
    size.name.lower(): size
    for size in sorted((*_SINGLE, *(size for series in _SERIES for size in series.sizes())), key=lambda size: size.name)
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
