"""The bodies that are sent to ARM, one golden file each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from verified_images.cloud import compute, galleries, groups, images, load_balancers, network, scale_sets, snapshots
from verified_images.cloud.machine_extras import DataDisk, MachineExtras

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cloud.scripted_arm import ScriptedArm
    from verified_images.cloud.operations import Arm
    from verified_images.cloud.place import Place

LOGIN = compute.Login("packer", "ssh-ed25519 AAAA verified-images")
DEFINITION = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/images/providers/Microsoft.Compute"
    "/galleries/golden/images/web"
)
DISK_KEY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/diskEncryptionSets/key"
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id"
MACHINE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"


@pytest.fixture
def spec(place: Place) -> compute.MachineSpec:
    return compute.MachineSpec(
        name="vi-abcdefgh-vm",
        size="Standard_B2s",
        image={"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2", "version": "0.20250101.1"},
        login=LOGIN,
        os_disk_name="vi-abcdefgh-osdisk",
        os_disk_type="StandardSSD_LRS",
        interface_id=place.network_id("networkInterfaces", "vi-abcdefgh-nic"),
    )


def test_group(arm: Arm, place: Place, scripted: ScriptedArm, golden: Callable[[str, Any], None]) -> None:
    groups.create_group(arm, place.group, place.location, place.tags)
    golden("group", scripted.bodies("PUT", "resourcegroups/vi-web-abcdefgh$")[0])


def test_network(arm: Arm, place: Place, scripted: ScriptedArm, golden: Callable[[str, Any], None]) -> None:
    openings = [
        network.Opening("ssh", 22, ("203.0.113.7/32",)),
        network.Opening("smoke", 80, ("203.0.113.7/32", "198.51.100.0/24")),
        network.Opening("probe", 80, ("AzureLoadBalancer",)),
    ]
    network.begin_security_group(arm, place, "nsg", openings).result()
    network.begin_virtual_network(arm, place, "vnet", "subnet").result()
    network.begin_public_address(arm, place, "ip").result()
    golden("security-group", scripted.bodies("PUT", "networkSecurityGroups/nsg$")[0])
    golden("virtual-network", scripted.bodies("PUT", "virtualNetworks/vnet$")[0])
    golden("public-address", scripted.bodies("PUT", "publicIPAddresses/ip$")[0])


@pytest.mark.parametrize("public", [True, False])
def test_interface(
    arm: Arm, place: Place, scripted: ScriptedArm, golden: Callable[[str, Any], None], *, public: bool
) -> None:
    address = {"name": "primary", "properties": {"privateIPAddress": "10.0.0.4"}}
    scripted.fills["networkInterfaces"] = {"ipConfigurations": [address]}
    private_address = network.create_interface(
        arm,
        place,
        "nic",
        subnet_id=place.network_id("virtualNetworks/subnets", "vnet", "subnet"),
        security_group_id=place.network_id("networkSecurityGroups", "nsg"),
        public_address_id=place.network_id("publicIPAddresses", "ip") if public else None,
        accelerated=None if public else True,
    )
    assert private_address == "10.0.0.4"
    golden(f"interface-{'public' if public else 'private'}", scripted.bodies("PUT", "networkInterfaces")[0])


def test_machine(
    arm: Arm,
    place: Place,
    spec: compute.MachineSpec,
    scripted: ScriptedArm,
    golden: Callable[[str, Any], None],
) -> None:
    compute.begin_machine(arm, place, spec).result()
    golden("machine", scripted.bodies("PUT", "virtualMachines/vi-abcdefgh-vm$")[0])


def test_machine_with_everything(place: Place, spec: compute.MachineSpec, golden: Callable[[str, Any], None]) -> None:
    full = {name: getattr(spec, name) for name in spec.__slots__} | {
        "image": {"id": DEFINITION + "/versions/1.0.0"},
        "os_disk_size_gb": 64,
        "security_type": "TrustedLaunch",
        "purchase_plan": {"publisher": "p", "product": "o", "name": "n"},
        "custom_data": "#cloud-config\n",
        "user_data": "grüße",
        "extras": MachineExtras(
            license_type="RHEL_BYOS",
            spot_eviction_policy="Delete",
            spot_max_price=0.5,
            identities=(IDENTITY,),
            caching="None",
            data_disks=(DataDisk("data", 16, 3),),
            disk_controller_type="NVMe",
            disk_encryption_set=DISK_KEY,
            secure_boot=False,
            encryption_at_host=True,
        ),
    }
    golden("machine-with-everything", compute.machine_body(place, compute.MachineSpec(**full)))


def test_stopping_and_generalizing(arm: Arm, place: Place, scripted: ScriptedArm) -> None:
    compute.deallocate_machine(arm, place.group, "vm")
    compute.generalize_machine(arm, place.group, "vm")
    machine = place.compute_id("virtualMachines", "vm")
    assert scripted.methods() == [("POST", f"{machine}/deallocate"), ("POST", f"{machine}/generalize")]


def test_image_from_a_machine(
    arm: Arm, place: Place, scripted: ScriptedArm, golden: Callable[[str, Any], None]
) -> None:
    images.begin_image_from_machine(arm, place, "candidate", machine_id=MACHINE, generation="V2").result()
    golden("image-from-machine", scripted.bodies("PUT", "images/candidate$")[0])
    images.begin_image_from_machine(
        arm, place, "zoned", machine_id=MACHINE, generation="V2", zone_resilient=True
    ).result()
    assert scripted.bodies("PUT", "images/zoned$")[0]["properties"]["storageProfile"] == {"zoneResilient": True}


def test_image_from_a_blob(arm: Arm, place: Place, scripted: ScriptedArm, golden: Callable[[str, Any], None]) -> None:
    images.create_image_from_blob(arm, place, "source", "https://account.blob.core.windows.net/vhds/a.vhd")
    golden("image-from-blob", scripted.bodies("PUT", "images/source$")[0])


def test_snapshot(arm: Arm, place: Place, scripted: ScriptedArm, golden: Callable[[str, Any], None]) -> None:
    snapshots.begin_snapshot(arm, place, "os", place.compute_id("disks", "vi-abcdefgh-osdisk")).result()
    golden("snapshot", scripted.bodies("PUT", "snapshots/os$")[0])


def test_layer(arm: Arm, place: Place, scripted: ScriptedArm, golden: Callable[[str, Any], None]) -> None:
    disk = place.compute_id("disks", "vi-abcdefgh-osdisk")
    snapshots.begin_snapshot(arm, place, "layer", disk, incremental=True).result()
    layer = place.compute_id("snapshots", "layer")
    snapshots.begin_disk_of_snapshot(arm, place, "os", layer, disk_type="Premium_LRS").result()
    spec = compute.MachineSpec(
        name="vm",
        size="Standard_B2s",
        image={},
        login=LOGIN,
        os_disk_name="os",
        os_disk_type="Premium_LRS",
        interface_id=place.network_id("networkInterfaces", "nic"),
        os_disk_id=place.compute_id("disks", "os"),
    )
    compute.begin_machine(arm, place, spec).result()
    golden("layer-snapshot", scripted.bodies("PUT", "snapshots/layer$")[0])
    golden("layer-disk", scripted.bodies("PUT", "disks/os$")[0])
    golden("layer-machine", scripted.bodies("PUT", "Machines/vm$")[0])


def test_candidate_version(arm: Arm, place: Place, scripted: ScriptedArm, golden: Callable[[str, Any], None]) -> None:
    version = f"{DEFINITION}/versions/1.0.0"
    galleries.begin_candidate_version(
        arm, version, location="westeurope", tags={**place.tags, "vi-verdict": "candidate"}, machine_id=MACHINE
    ).result()
    golden("candidate-version", scripted.bodies("PUT", "versions/1.0.0$")[0])


def test_promotion(arm: Arm, place: Place, scripted: ScriptedArm, golden: Callable[[str, Any], None]) -> None:
    end = datetime(2027, 1, 31, tzinfo=UTC)
    special = {"northeurope": galleries.RegionWishes(5, DISK_KEY)}
    replication = galleries.Replication(
        ("westeurope", "northeurope"), 2, "Standard_ZRS", end, exclude_from_latest=True, special=special
    )
    galleries.promote_version(
        arm, f"{DEFINITION}/versions/1.0.0", replication, {**place.tags, "vi-verdict": "verified"}
    )
    golden("promotion", scripted.bodies("PATCH", "versions/1.0.0$")[0])


@pytest.mark.parametrize("serving", [True, False])
def test_load_balancer(
    arm: Arm, place: Place, scripted: ScriptedArm, golden: Callable[[str, Any], None], *, serving: bool
) -> None:
    service = load_balancers.Service(8080, "/healthz") if serving else None
    address = place.network_id("publicIPAddresses", "lb-ip")
    load_balancers.create_load_balancer(arm, place, "lb", public_address_id=address, service=service)
    golden(f"load-balancer-{'serving' if serving else 'ssh'}", scripted.bodies("PUT", "loadBalancers/lb$")[0])


def test_load_balancer_of_a_private_network(
    arm: Arm, place: Place, scripted: ScriptedArm, golden: Callable[[str, Any], None]
) -> None:
    subnet = place.network_id("virtualNetworks/subnets", "vnet", "subnet")
    load_balancers.create_load_balancer(
        arm, place, "lb", public_address_id=None, subnet_id=subnet, service=None, ssh_port=2222
    )
    golden("load-balancer-private", scripted.bodies("PUT", "loadBalancers/lb$")[0])


@pytest.mark.parametrize("orchestration", ["uniform", "flexible"])
def test_scale_set(
    arm: Arm, place: Place, scripted: ScriptedArm, golden: Callable[[str, Any], None], orchestration: str
) -> None:
    uniform = orchestration == "uniform"
    balancer = place.network_id("loadBalancers", "lb")
    scale_sets.create_scale_set(
        arm,
        place,
        scale_sets.ScaleSetSpec(
            name="vi-abcdefgh-ss",
            size="Standard_B2s",
            instances=2,
            image_id=f"{DEFINITION}/versions/1.0.0",
            login=compute.Login("verifier", "ssh-ed25519 BBBB verified-images"),
            computer_name_prefix="viabcdefg",
            os_disk_type="StandardSSD_LRS",
            interface_name="nic",
            subnet_id=place.network_id("virtualNetworks/subnets", "vnet", "subnet"),
            security_group_id=place.network_id("networkSecurityGroups", "nsg"),
            backend_pool_id=f"{balancer}/backendAddressPools/instances",
            ssh_pool_id=f"{balancer}/inboundNatPools/ssh" if uniform else None,
            security_type="TrustedLaunch",
        ),
    )
    golden(
        "scale-set" if uniform else "scale-set-flexible",
        scripted.bodies("PUT", "virtualMachineScaleSets/vi-abcdefgh-ss$")[0],
    )
