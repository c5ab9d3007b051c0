from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emulator.network.place import rule
from verified_images.emulator.network.rules import LOAD_BALANCER_PROBE, Connection, admits

VNET = ("10.0.0.0/16",)
DENY_ALL = rule(4096, "*", access="Deny", protocol="*")


def connection(source: str = "127.0.0.1", port: int = 22) -> Connection:
    return Connection(source, "10.0.0.4", port, inside=VNET)


def test_the_rule_with_the_lowest_priority_number_decides() -> None:
    rules = [rule(300), rule(200, access="Deny"), rule(100)]
    assert admits([rules], connection())
    assert not admits([rules[:2]], connection())


def test_what_no_rule_speaks_of_is_denied() -> None:
    assert not admits([[rule(100, "80")]], connection())


def test_both_groups_must_admit() -> None:
    assert not admits([[rule(100)], [DENY_ALL]], connection())
    assert admits([[rule(100)], [rule(100)]], connection())


@pytest.mark.parametrize(
    ("source", "inside", "outside", "probe"),
    [
        ("*", True, True, True),
        ("0.0.0.0/0", True, True, True),
        ("VirtualNetwork", True, False, False),
        ("virtualnetwork", True, False, False),
        ("Internet", False, True, False),
        ("AzureLoadBalancer", False, False, True),
        ("Storage.WestEurope", False, False, False),
        ("127.0.0.1", False, True, False),
        ("127.0.0.0/8", False, True, False),
        ("127.0.0.1/8", False, True, False),
        ("10.0.0.0/8", True, False, False),
        ("::/0", False, False, False),
    ],
)
def test_a_source_is_a_range_or_a_service_tag(source: str, inside: bool, outside: bool, probe: bool) -> None:  # noqa: FBT001 - columns of a table
    rules = [[rule(100, sourceAddressPrefix=source)]]
    found = [admits(rules, connection(address)) for address in ("10.0.7.7", "127.0.0.1", LOAD_BALANCER_PROBE)]
    assert found == [inside, outside, probe]


@pytest.mark.parametrize(
    ("changes", "admitted"),
    [
        ({"destinationPortRange": "20-25"}, True),
        ({"destinationPortRange": "23-25"}, False),
        ({"destinationPortRange": None, "destinationPortRanges": ["80", "22-22"]}, True),
        ({"destinationPortRange": None, "destinationPortRanges": ["80", "443"]}, False),
        ({"sourceAddressPrefix": None, "sourceAddressPrefixes": ["192.0.2.0/24", "127.0.0.1/32"]}, True),
        ({"destinationAddressPrefix": "10.0.0.4"}, True),
        ({"destinationAddressPrefix": "10.0.0.5"}, False),
        ({"destinationAddressPrefix": "VirtualNetwork"}, True),
        ({"protocol": "Udp"}, False),
        ({"protocol": "*"}, True),
        ({"direction": "Outbound"}, False),
    ],
)
def test_a_rule_matches_by_all_its_parts(changes: dict[str, Any], admitted: bool) -> None:  # noqa: FBT001 - a column of a table
    assert admits([[rule(100, **changes)]], connection()) is admitted


addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
ports = st.integers(0, 65535)


networks = st.builds(lambda base, length: IPv4Network((base, length), strict=False), addresses, st.integers(0, 32))


@given(networks, addresses, st.tuples(ports, ports), ports)
def test_a_rule_matches_what_lies_in_its_ranges(
    network: IPv4Network, source: IPv4Address, bounds: tuple[int, int], port: int
) -> None:
    low, high = sorted(bounds)
    rules = [[rule(100, f"{low}-{high}", sourceAddressPrefix=str(network))]]
    assert admits(rules, Connection(str(source), "10.0.0.4", port)) is (source in network and low <= port <= high)


@given(st.permutations(range(100, 108)), st.integers(0, 255))
def test_the_order_in_which_rules_stand_is_of_no_account(order: list[int], verdicts: int) -> None:
    rules = [rule(number, access="Allow" if verdicts >> (number - 100) & 1 else "Deny") for number in order]
    assert admits([rules], connection()) is bool(verdicts & 1)
