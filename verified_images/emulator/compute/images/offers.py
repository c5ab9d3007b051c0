"""The Marketplace's catalogue: which images are offered. Source: recorded answers, and the alias list of the azure CLI.

The hypervisors can boot Debian 12. Other images are offered so that what names them can be tried: they have Azure's
facts, and their machines boot Debian 12 in their place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.hypervisor import Generation

_STAND_INS: dict[Generation, str] = {"V1": "Debian:debian-12:12", "V2": "Debian:debian-12:12-gen2"}


@dataclass(frozen=True, slots=True)
class Offer:
    """One SKU of an offer and the versions published of it, oldest first.

    ``managed`` tells how Azure keeps it: older images lie in storage accounts. ``planned`` images have terms to accept.
    """

    publisher: str
    offer: str
    sku: str
    generation: Generation
    versions: tuple[str, ...]
    size_gb: int = 30
    os_type: str = "Linux"
    managed: bool = False
    upgrades: bool = False
    planned: bool = False

    @property
    def urn(self) -> str:
        """The name under which users know the image."""
        return f"{self.publisher}:{self.offer}:{self.sku}"

    @property
    def boots(self) -> str:
        """The name under which the hypervisor knows the image that its machines boot."""
        return _STAND_INS[self.generation]

    @property
    def features(self) -> dict[str, str]:
        """What the image can do; of CentOS, which was published before that was told, nothing is known."""
        if self.publisher == "OpenLogic":
            return {}
        features = {
            "IsAcceleratedNetworkSupported": "True",
            "DiskControllerTypes": "SCSI, NVMe" if self.managed or self.upgrades else "SCSI",
            "IsHibernateSupported": str(self.managed or self.upgrades),
        }
        if self.generation == "V1":
            return features
        confidential = self.os_type == "Windows"
        kind = "TrustedLaunchAndConfidentialVmSupported" if confidential else "TrustedLaunchSupported"
        return {"SecurityType": kind, **features}


def _linux(
    publisher: str, offer: str, skus: dict[str, str], *, gen2: frozenset[str] = frozenset(), upgrades: bool = False
) -> Iterator[Offer]:
    """Give the SKUs of an offer; each is named with its versions, the oldest first."""
    for sku, versions in skus.items():
        second = sku in gen2
        yield Offer(
            publisher,
            offer,
            sku,
            "V2" if second else "V1",
            tuple(versions.split()),
            managed=second,
            upgrades=upgrades,
        )


def _windows(sku: str, generation: Generation, versions: str) -> Offer:
    return Offer(
        "MicrosoftWindowsServer",
        "WindowsServer",
        sku,
        generation,
        tuple(versions.split()),
        size_gb=127,
        os_type="Windows",
        managed=generation == "V2",
        upgrades=generation == "V1",
    )


_DEBIAN_12 = ("0.20250316.2053", "0.20250703.2162", "0.20250814.2204")

_WRITTEN: tuple[Offer, ...] = (
    Offer("Debian", "debian-12", "12", "V1", _DEBIAN_12, managed=True),
    Offer("Debian", "debian-12", "12-gen2", "V2", _DEBIAN_12, managed=True),
    *_linux("Debian", "debian-10", {"10": "0.20230615.1412 0.20240430.1733"}),
    *_linux("Debian", "debian-10", {"10-gen2": "0.20240430.1733"}, gen2=frozenset({"10-gen2"})),
    *_linux(
        "Debian",
        "debian-11",
        {"11": "0.20240717.1811", "11-gen2": "0.20240717.1811", "11-backports-gen2": "0.20240717.1811"},
        gen2=frozenset({"11-gen2", "11-backports-gen2"}),
    ),
    *_linux(
        "Canonical",
        "UbuntuServer",
        {
            "14.04.4-LTS": "14.04.201806220",
            "14.04.5-LTS": "14.04.201905140",
            "16.04-LTS": "16.04.202007290 16.04.202109280",
            "16.04.0-LTS": "16.04.202009220 16.04.202104290 16.04.202109280",
            "18.04-LTS": "18.04.202002180 18.04.202106220 18.04.202401161",
        },
        upgrades=True,
    ),
    *_linux("Canonical", "UbuntuServer", {"18_04-lts-gen2": "18.04.202401161"}, gen2=frozenset({"18_04-lts-gen2"})),
    *_linux(
        "Canonical",
        "0001-com-ubuntu-server-focal",
        {"20_04-lts": "20.04.202408010", "20_04-lts-gen2": "20.04.202408010"},
        gen2=frozenset({"20_04-lts-gen2"}),
    ),
    *_linux(
        "Canonical",
        "0001-com-ubuntu-server-jammy",
        {"22_04-lts": "22.04.202408010", "22_04-lts-gen2": "22.04.202408010"},
        gen2=frozenset({"22_04-lts-gen2"}),
    ),
    *_linux(
        "Canonical",
        "ubuntu-24_04-lts",
        {"server-gen1": "24.04.202408010", "server": "24.04.202408010", "ubuntu-pro": "24.04.202408010"},
        gen2=frozenset({"server", "ubuntu-pro"}),
    ),
    *_linux(
        "OpenLogic",
        "CentOS",
        {"7.2": "7.2.20180110", "7.4": "7.4.20180118", "7.5": "7.5.201808150", "7_9": "7.9.2022020700"},
        upgrades=True,
    ),
    *_linux("OpenLogic", "CentOS", {"8_5-gen2": "8.5.2022012101"}, gen2=frozenset({"8_5-gen2"})),
    *_linux("RedHat", "RHEL", {"7-LVM": "7.9.2023062711", "8-LVM": "8.9.2023112310"}),
    *_linux("RedHat", "RHEL", {"8-lvm-gen2": "8.9.2023112311"}, gen2=frozenset({"8-lvm-gen2"})),
    *_linux("SUSE", "openSUSE-leap-15-4", {"gen2": "2024.01.22"}, gen2=frozenset({"gen2"})),
    *_linux("SUSE", "sles-15-sp3", {"gen2": "2023.11.27"}, gen2=frozenset({"gen2"})),
    _windows("2012-R2-Datacenter", "V1", "9600.19817.2009040500 9600.19847.2010090140 9600.21620.231004"),
    _windows("2016-Datacenter", "V1", "14393.4283.2103051830 14393.5427.221005 14393.7259.240811"),
    _windows("2019-Datacenter", "V1", "17763.1397.2008070242 17763.6189.240811"),
    _windows("2019-Datacenter-gensecond", "V2", "17763.6189.240811"),
    _windows("2022-datacenter-g2", "V2", "20348.2582.240703 20348.2655.240810"),
    _windows("2022-datacenter-azure-edition", "V2", "20348.2655.240810"),
)


def recorded(kind: str) -> list[dict[str, Any]]:
    """Give the recorded part of Azure's catalogue: its ``images`` or ``extensions``."""
    text = (files("verified_images.emulator") / "schemas" / "catalogue.json").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(text)[kind]
    return found


def _with_recorded(written: tuple[Offer, ...]) -> Iterator[Offer]:
    """Give the offers written here with the versions recorded of them, then those that are only recorded."""
    known = {offer.urn.lower(): offer for offer in written}
    rest = {offer.urn.lower(): offer for entry in recorded("images") for offer in [_read(entry)]}
    for urn, offer in known.items():
        more = [version for version in rest[urn].versions if version not in offer.versions] if urn in rest else []
        yield replace(offer, versions=(*sorted(more), *offer.versions)) if more else offer
    yield from (offer for urn, offer in rest.items() if urn not in known)


def _read(entry: dict[str, Any]) -> Offer:
    return Offer(**{**entry, "versions": tuple(entry["versions"])})


OFFERS: tuple[Offer, ...] = tuple(_with_recorded(_WRITTEN))
