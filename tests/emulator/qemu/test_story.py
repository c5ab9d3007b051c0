"""One story on real guests through ARM: all that the owner of a machine and a scale set may do while they run."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

import pytest
from python_socks import ProxyError, ProxyTimeoutError
from python_socks.sync import Proxy

from tests.emulator.compute.estate import LOCATION, Json
from tests.emulator.network.place import rule
from tests.emulator.qemu.owner import BOOT_ID

if TYPE_CHECKING:
    from tests.emulator.qemu.owner import Owner

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(1800)]

SECONDS = 600.0
FETCH = "curl -sS --retry 120 --retry-connrefused --retry-delay 1"
DISKS = "ls /dev/disk/azure/scsi1 2>/dev/null || echo none"


def test_an_extension_and_a_run_command_run_in_the_guest(owner: Owner) -> None:
    settings = {"commandToExecute": "echo from the extension | tee /run/extension"}
    made = owner.extend("script", "Microsoft.Azure.Extensions", "CustomScript", "2.1", settings=settings)
    assert made.provisioning_state == "Succeeded"
    assert owner.ask("cat /run/extension") == "from the extension"
    body = {
        "location": LOCATION,
        "properties": {
            "source": {"script": "id -un; echo $greeting"},
            "parameters": [{"name": "greeting", "value": "hello"}],
        },
    }
    commands = owner.estate.compute.virtual_machine_run_commands
    commands.begin_create_or_update("g", "vm", "command", body).result()
    view = commands.get_by_virtual_machine("g", "vm", "command", expand="instanceView").instance_view
    assert (view.exit_code, view.output.split()) == (0, ["root", "hello"])


def test_access_is_given_to_a_user_with_a_password(owner: Owner) -> None:
    protected = {"username": "rescue", "password": "Correct-horse-1"}
    kind = ("Microsoft.OSTCExtensions", "VMAccessForLinux", "1.5")
    assert owner.extend("access", *kind, protectedSettings=protected).provisioning_state == "Succeeded"
    assert owner.ask("getent shadow rescue | cut -d: -f2 | cut -c1-2") in ("$y", "$6")


def test_a_data_disk_comes_to_the_running_guest_and_leaves_it(owner: Owner) -> None:
    before = owner.ask(BOOT_ID)
    disk = {"createOption": "Empty", "diskSizeGB": 1}
    owner.set_data_disks({"lun": 3, "name": "third", **disk})
    script = "udevadm settle; mkfs.ext4 -q /dev/disk/azure/scsi1/lun3 && mount /dev/disk/azure/scsi1/lun3 /mnt"
    owner.ask(f"{script} && echo kept > /mnt/file && umount /mnt")
    assert owner.ask(DISKS) == "lun3"
    owner.set_data_disks()
    assert owner.ask(f"udevadm settle; {DISKS}") == "none"
    again = {"createOption": "Attach", "managedDisk": {"id": owner.estate.id("disks", "third")}}
    owner.set_data_disks({"lun": 0, **again})
    assert owner.ask("udevadm settle; mount -r /dev/disk/azure/scsi1/lun0 /mnt; cat /mnt/file; umount /mnt") == "kept"
    assert owner.ask(BOOT_ID) == before


def test_a_restart_keeps_disks_and_ports_and_changes_the_boot_id(owner: Owner) -> None:
    address = owner.hypervisor.forward(owner.guest, 22)
    before, disks_before = owner.ask(f"echo kept > /var/kept; {BOOT_ID}; {DISKS}").split()
    owner.estate.compute.virtual_machines.begin_restart("g", "vm").result()
    assert owner.hypervisor.is_running(owner.guest)
    boot_id, kept, disks = owner.ask(f"{BOOT_ID}; cat /var/kept; {DISKS}").split()
    assert (boot_id != before, kept, disks) == (True, "kept", disks_before)
    assert owner.hypervisor.forward(owner.guest, 22) == address
    assert owner.ssh(owner.guest, "hostname") == "vm"


def test_a_public_address_leads_to_the_guest_only_where_a_rule_lets_in(owner: Owner) -> None:
    network: Json = owner.estate.azure.network
    group = network.network_security_groups.begin_create_or_update("g", "nsg", {"location": LOCATION}).result()
    address: Json = {"location": LOCATION, "sku": {"name": "Standard"}}
    address["properties"] = {"publicIPAllocationMethod": "Static"}
    public = network.public_ip_addresses.begin_create_or_update("g", "ip", address).result()
    configuration = {"subnet": {"id": owner.estate.subnet_id}, "publicIPAddress": {"id": public.id}}
    card: Json = {"location": LOCATION, "properties": {"networkSecurityGroup": {"id": group.id}}}
    card["properties"]["ipConfigurations"] = [{"name": "c", "properties": configuration}]
    network.network_interfaces.begin_create_or_update("g", "vm-nic", card).result()
    assert not _greets(owner, str(public.ip_address))
    rule = {
        "properties": {
            "priority": 100,
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "sourceAddressPrefix": "*",
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
            "destinationPortRange": "22",
        }
    }
    network.security_rules.begin_create_or_update("g", "nsg", "ssh", rule).result()
    assert _greets(owner, str(public.ip_address))


def test_instances_are_reached_in_private_and_through_a_load_balancer_as_rules_let_in(owner: Owner) -> None:
    addresses = [_serve_name(owner, number) for number in ("0", "1")]
    names = ["inst000000", "inst000001"]
    assert [owner.ask(f"{FETCH} http://{address}:8080/name") for address in addresses] == names
    assert owner.ask(f"ping -c 3 {addresses[0]} >&2 && echo answered") == "answered"
    public = _make_balancer(owner, addresses)
    _guard_subnet(owner)
    assert _names_behind(owner, public) == set()
    _guard_subnet(owner, rule(100, "8080"))
    assert _await_names(owner, public, set(names)) == set(names)
    owner.ask_instance("0", "systemctl stop served")
    assert _await_names(owner, public, {names[1]}) == {names[1]}
    _guard_subnet(owner, rule(100, "8080", access="Deny"))
    assert owner.ask(f"curl -sS -m 3 http://{addresses[1]}:8080/name || echo silence") == "silence"


def _serve_name(owner: Owner, number: str) -> str:
    """Let an instance serve its name on port 8080; give its private address."""
    serve = "systemd-run -u served -p WorkingDirectory=/run/www python3 -m http.server 8080"
    owner.ask_instance(number, f"mkdir -p /run/www; hostname > /run/www/name; {serve}; {FETCH} localhost:8080")
    cards = owner.estate.azure.network.network_interfaces
    (card,) = cards.list_virtual_machine_scale_set_vm_network_interfaces("g", "ss", number)
    return str(card.ip_configurations[0].private_ip_address)


def _guard_subnet(owner: Owner, *rules: Json) -> None:
    network: Json = owner.estate.azure.network
    group: Json = {"location": LOCATION, "properties": {"securityRules": list(rules)}}
    made = network.network_security_groups.begin_create_or_update("g", "guard", group).result()
    subnet = {"properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": made.id}}}
    network.subnets.begin_create_or_update("g", "vnet", "s", subnet).result()


def _make_balancer(owner: Owner, addresses: list[str]) -> str:
    """Spread port 80 of a public address, which is given, over port 8080 of the machines with private addresses."""
    network: Json = owner.estate.azure.network
    public: Json = {"location": LOCATION, "sku": {"name": "Standard"}}
    public["properties"] = {"publicIPAllocationMethod": "Static"}
    made = network.public_ip_addresses.begin_create_or_update("g", "front", public).result()
    own = f"{owner.estate.group_id}/providers/Microsoft.Network/loadBalancers/lb"
    entries = [
        {"name": address, "properties": {"ipAddress": address, "subnet": {"id": owner.estate.subnet_id}}}
        for address in addresses
    ]
    spread = {
        "protocol": "Tcp",
        "frontendPort": 80,
        "backendPort": 8080,
        "frontendIPConfiguration": {"id": f"{own}/frontendIPConfigurations/front"},
        "backendAddressPool": {"id": f"{own}/backendAddressPools/pool"},
        "probe": {"id": f"{own}/probes/probe"},
    }
    probe = {"protocol": "Tcp", "port": 8080, "intervalInSeconds": 5}
    properties = {
        "frontendIPConfigurations": [{"name": "front", "properties": {"publicIPAddress": {"id": made.id}}}],
        "backendAddressPools": [{"name": "pool", "properties": {"loadBalancerBackendAddresses": entries}}],
        "probes": [{"name": "probe", "properties": probe}],
        "loadBalancingRules": [{"name": "spread", "properties": spread}],
    }
    body = {"location": LOCATION, "sku": {"name": "Standard"}, "properties": properties}
    network.load_balancers.begin_create_or_update("g", "lb", body).result()
    return str(made.ip_address)


def _await_names(owner: Owner, address: str, wanted: set[str]) -> set[str]:
    """Give the names behind a public address once they are those, or at last: probes take their time."""
    deadline = time.monotonic() + SECONDS
    while (found := _names_behind(owner, address)) != wanted and time.monotonic() < deadline:
        time.sleep(1)
    return found


def _names_behind(owner: Owner, address: str) -> set[str]:
    """Give the names that four connections to port 80 of a public address get, those left out that get nowhere."""
    found = set()
    for _ in range(4):
        with contextlib.suppress(OSError, ProxyError, ProxyTimeoutError):
            with Proxy.from_url(owner.estate.azure.cloud.proxy).connect(address, 80, timeout=30) as connection:
                connection.sendall(b"GET /name HTTP/1.0\r\n\r\n")
                answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
            found.add(answer.decode().split()[-1])
    return found


def _greets(owner: Owner, address: str) -> bool:
    """Tell whether an SSH server answers at a public address, asked through the local Azure's proxy."""
    host, port = owner.estate.azure.cloud.proxy.rpartition("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"\x05\x01\x00")
        assert connection.recv(2) == b"\x05\x00"
        connection.sendall(b"\x05\x01\x00\x01" + socket.inet_aton(address) + (22).to_bytes(2, "big"))
        try:
            answer = connection.recv(10)
            return answer[1:2] == b"\x00" and connection.recv(4) == b"SSH-"
        except OSError:
            return False
