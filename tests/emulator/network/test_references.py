from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.ids import ResourceId
from verified_images.emulator.store import Resource, Store

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network"


def resource(name: str, *targets: str) -> Resource:
    text = f"{GROUP}/networkInterfaces/{name}"
    return Resource(
        ResourceId.parse(text), {"id": text, "properties": {"deep": [{"id": target} for target in targets]}}
    )


def names(store: Store, target: str) -> list[str]:
    return [found.id.name for found in store.referrers(target)]


def test_a_resource_knows_who_names_it_whatever_the_case(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    store.put(resource("one", f"{GROUP}/virtualNetworks/v/subnets/a"))
    store.put(resource("two", f"{GROUP}/virtualNetworks/V/subnets/A"))
    assert names(store, f"{GROUP.upper()}/virtualnetworks/v/subnets/a") == ["one", "two"]
    assert names(store, f"{GROUP}/virtualNetworks/v") == []
    store.close()


def test_what_is_no_longer_named_is_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    target = f"{GROUP}/publicIPAddresses/ip"
    store.put(resource("one", target))
    store.put(resource("two", target))
    store.put(resource("one"))
    store.remove(resource("two").id)
    assert names(store, target) == []
    store.close()


def test_references_are_known_after_a_restart(tmp_path: Path) -> None:
    target = f"{GROUP}/publicIPAddresses/ip"
    store = Store(tmp_path / "s")
    store.put(resource("one", target))
    store.close()
    store = Store(tmp_path / "s")
    assert names(store, target) == ["one"]
    store.close()
