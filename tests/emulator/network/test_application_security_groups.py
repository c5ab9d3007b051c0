from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.emulator.network.connections import SSH, hear, reply_code
from tests.emulator.network.machines import Machines, saying
from tests.emulator.network.place import LOCATION, Json, Place, refusal, rule

if TYPE_CHECKING:
    from contextlib import ExitStack

    from verified_images.emulator.network.gateway import Gateway


def make_group(place: Place, name: str = "web") -> str:
    body: Json = {"location": LOCATION, "properties": {}}
    made = place.azure.network.application_security_groups.begin_create_or_update("g", name, body).result()
    return str(made["id"])


def to_group(group: str) -> Json:
    """Make a rule that admits SSH to the members of a group."""
    made = rule(100, destinationApplicationSecurityGroups=[{"id": group}])
    del made["properties"]["destinationAddressPrefix"]
    return made


def test_a_rule_admits_to_the_members_of_a_group_alone(
    place: Place, machines: Machines, gateway: Gateway, undo: ExitStack
) -> None:
    web = make_group(place)
    place.make_network()
    rules = place.make_group(to_group(web))
    for name, groups in (("inside", [{"id": web}]), ("outside", [])):
        address = {"id": place.make_address(name)}
        place.make_interface(name, group=rules, publicIPAddress=address, applicationSecurityGroups=groups)
        place.make_machine(name, name)
        machines.listen(name, SSH, undo.enter_context(saying(name)))
    assert hear(gateway, place.read_address("inside")) == "inside"
    assert reply_code(gateway, place.read_address("outside")) == 4


def test_a_rule_shows_the_groups_in_place_of_a_prefix(place: Place) -> None:
    web = make_group(place)
    place.make_group(to_group(web))
    shown = place.azure.network.security_rules.get("g", "nsg", "rule100")["properties"]
    assert [dict(group) for group in shown["destinationApplicationSecurityGroups"]] == [{"id": web}]
    assert "destinationAddressPrefix" not in shown


def test_a_rule_has_a_prefix_or_groups(place: Place) -> None:
    both = to_group(make_group(place))
    both["properties"]["destinationAddressPrefix"] = "*"
    code = "SecurityRuleParameterContainsBothAddressPrefixAndApplicationSecurityGroups"
    assert refusal(partial(place.make_group, both))[:2] == (400, code)


def test_a_group_that_does_not_exist_is_refused(place: Place) -> None:
    missing = place.id("applicationSecurityGroups", "missing")
    assert refusal(partial(place.make_group, to_group(missing)))[:2] == (400, "InvalidResourceReference")
    place.make_network()
    interface = partial(place.make_interface, applicationSecurityGroups=[{"id": missing}])
    assert refusal(interface)[:2] == (400, "InvalidResourceReference")


def test_a_group_cannot_be_deleted_while_it_is_named(place: Place) -> None:
    web = make_group(place)
    place.make_network()
    place.make_interface(applicationSecurityGroups=[{"id": web}])
    groups = place.azure.network.application_security_groups
    status, _, message = refusal(lambda: groups.begin_delete("g", "web"))
    assert status == 400
    assert message.endswith("cannot be deleted because it is referenced by IpConfiguration(s) primary.")
    place.azure.network.network_interfaces.begin_delete("g", "nic").result()
    place.make_group(to_group(web))
    assert refusal(lambda: groups.begin_delete("g", "web"))[0] == 400
    place.azure.network.network_security_groups.begin_delete("g", "nsg").result()
    groups.begin_delete("g", "web").result()
    assert list(groups.list_all()) == []
