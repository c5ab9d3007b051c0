"""Machines of a virtual network speak to each other on their private addresses, and nobody else does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from python_socks import ProxyError
from python_socks.sync import Proxy

from tests.emulator.compute.estate import LOCATION, Estate, Json
from tests.emulator.network.place import rule

pytestmark = pytest.mark.skipif(
    not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="this user may not open /dev/net/tun"
)

SERVE = "mkdir -p /srv && hostname > /srv/name && busybox httpd -p 8080 -h /srv"
INSTANCE = "10.0.1.4"


@pytest.fixture
def pair(estate: Estate) -> Estate:
    """Give a machine ``vm`` at 10.0.0.4 and, in another subnet, an instance that serves its name on port 8080."""
    subnet: Json = {"properties": {"addressPrefix": "10.0.1.0/24"}}
    made = estate.azure.network.subnets.begin_create_or_update("g", "vnet", "t", subnet).result()
    estate.make_machine()
    body = estate.scale_set_body(1)
    (card,) = body["properties"]["virtualMachineProfile"]["networkProfile"]["networkInterfaceConfigurations"]
    card["properties"]["ipConfigurations"][0]["properties"]["subnet"] = {"id": made.id}
    card["properties"]["networkSecurityGroup"] = {"id": make_group(estate)}
    estate.compute.virtual_machine_scale_sets.begin_create_or_update("g", "ss", body).result()
    serve(estate)
    return estate


def make_group(estate: Estate, *rules: Json) -> str:
    body: Json = {"location": LOCATION, "properties": {"securityRules": list(rules)}}
    made = estate.azure.network.network_security_groups.begin_create_or_update("g", "nsg", body).result()
    return str(made.id)


def serve(estate: Estate) -> None:
    body = {"commandId": "RunShellScript", "script": [SERVE]}
    estate.compute.virtual_machine_scale_set_vms.begin_run_command("g", "ss", "0", body).result()


def fetch(estate: Estate, address: str = INSTANCE, seconds: int = 30) -> str:
    """Give what ``vm`` gets from port 8080 of an address."""
    script = f"timeout {seconds} busybox wget -qO- http://{address}:8080/name 2>&1 || echo exit code $?"
    return estate.run(script).split("[stdout]\n")[1].split("[stderr]", maxsplit=1)[0].strip()


def waits_in_vain(estate: Estate) -> bool:
    return "exit code 143" in fetch(estate, seconds=2)


def test_a_machine_reaches_an_instance_in_another_subnet_as_long_as_rules_let_it(pair: Estate) -> None:
    assert fetch(pair) == "inst000000"
    make_group(pair, rule(100, "8080", access="Deny", sourceAddressPrefix="10.0.0.0/24"))
    assert waits_in_vain(pair)
    make_group(pair, rule(100, "8080", access="Deny", sourceAddressPrefix="10.0.7.0/24"))
    assert fetch(pair) == "inst000000"


def test_an_instance_is_reached_again_once_it_runs_again(pair: Estate) -> None:
    instances = pair.compute.virtual_machine_scale_set_vms
    instances.begin_restart("g", "ss", "0").result()
    serve(pair)
    assert fetch(pair) == "inst000000"
    instances.begin_deallocate("g", "ss", "0").result()
    assert waits_in_vain(pair)
    instances.begin_start("g", "ss", "0").result()
    serve(pair)
    assert fetch(pair) == "inst000000"


def test_nobody_outside_reaches_a_private_address_and_there_is_no_way_out_of_the_fake(pair: Estate) -> None:
    with pytest.raises(ProxyError) as refused:
        Proxy.from_url(pair.azure.cloud.proxy).connect(INSTANCE, 8080, timeout=10)
    assert refused.value.error_code == 2
    assert "unreachable" in fetch(pair, "192.0.2.1")
    assert "refused" in fetch(pair, "10.0.0.4")
    assert Path("/proc/net/fib_trie").read_text(encoding="ascii").count("10.0.1.4") == 0
