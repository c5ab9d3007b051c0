"""The network cards of a machine: checked, attached, exchanged, let go of. Source: recorded answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, missing_parameter
from verified_images.emulator.compute.machines.disks import remove_resource
from verified_images.emulator.compute.machines.guests import power_of
from verified_images.emulator.network import interfaces

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request


def cards_of(properties: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the references to network cards in a machine's properties."""
    return (properties.get("networkProfile") or {}).get("networkInterfaces") or []


def check_cards(cloud: Cloud, request: Request, properties: dict[str, Any]) -> None:
    """Refuse a machine without cards, with those that do not exist or have an owner, or with no primary one.

    Raises:
        ArmError: 400: InvalidParameter, InvalidResourceReference, NicInUse and others.
    """
    _check_all(cloud, request.id, cards_of(properties))


def _check_all(cloud: Cloud, machine: ResourceId, cards: list[dict[str, Any]]) -> None:
    if not cards:
        raise missing_parameter("networkProfile")
    primary = [card for card in cards if (card.get("properties") or {}).get("primary")]
    if len(cards) > 1 and len(primary) != 1:
        raise ArmError(
            400,
            "VirtualMachineMustHaveOneNetworkInterfaceAsPrimary",
            f"Virtual machine {machine} must have one network interface set as the primary.",
            details=[],
        )
    for card in cards:
        _check_card(cloud, machine, str(card.get("id") or ""))


def _check_card(cloud: Cloud, machine: ResourceId, identifier: str) -> None:
    nic = cloud.store.find(identifier)
    if nic is None:
        raise ArmError(
            400,
            "InvalidResourceReference",
            f"Resource {identifier} referenced by resource {machine} was not found. Please make sure that the "
            "referenced resource exists, and that both resources are in the same region.",
            details=[],
        )
    owner = nic.properties.get("virtualMachine")
    if owner and owner["id"].lower() != machine.key:
        raise ArmError(
            400,
            "NicInUse",
            f"Network Interface {nic.id} is used by existing resource {owner['id']}. In order to delete the network "
            "interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
            details=[],
        )


def check_cards_of_update(cloud: Cloud, machine: Resource, wanted: dict[str, Any]) -> None:
    """Refuse an exchange of cards while the machine runs, and what a new machine could not have either.

    Raises:
        ArmError: 409 AddingOrDeletingNetworkInterfacesOnARunningVirtualMachineNotSupported and those of `check_cards`.
    """
    before, after = _ids(machine.properties), _ids(wanted)
    if before == after:
        return
    if power_of(cloud, machine) != "deallocated":
        raise ArmError(
            409,
            "AddingOrDeletingNetworkInterfacesOnARunningVirtualMachineNotSupported",
            "Secondary network interfaces cannot be added or deleted from a running virtual machine. Virtual machine "
            f"{machine.id} must be deallocated first.",
            details=[],
        )
    _check_all(cloud, machine.id, cards_of(wanted))


def _ids(properties: dict[str, Any]) -> set[str]:
    return {str(card.get("id")).lower() for card in cards_of(properties)}


def attach_cards(cloud: Cloud, machine: Resource) -> None:
    """Tie the machine to its cards."""
    cards = cards_of(machine.properties)
    for card in cards:
        primary = len(cards) == 1 or bool((card.get("properties") or {}).get("primary"))
        interfaces.attach(cloud, card["id"], str(machine.id), primary=primary)


def exchange_cards(cloud: Cloud, machine: Resource) -> None:
    """Tie the machine to the cards that its model names now, and to no others."""
    wanted = _ids(machine.properties)
    for nic in cloud.store.select("Microsoft.Network/networkInterfaces"):
        owner = (nic.properties.get("virtualMachine") or {}).get("id", "")
        if owner.lower() == machine.id.key and nic.id.key not in wanted:
            interfaces.detach(cloud, str(nic.id))
    if machine.hidden.get("changes"):
        attach_cards(cloud, machine)


def let_go_of_cards(cloud: Cloud, machine: Resource) -> None:
    """Free the cards of a machine that goes away, and delete those whose deleteOption says so."""
    for card in cards_of(machine.properties):
        interfaces.detach(cloud, card["id"])
        if (card.get("properties") or {}).get("deleteOption") == "Delete":
            remove_resource(cloud, card["id"])
