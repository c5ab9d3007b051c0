"""A resource group to make machines and images in, through the real SDK."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from verified_images.emulator.fake.faults import GuestFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.emulator.clients import Clients
    from verified_images.emulator.hypervisor import GuestSpec

LOCATION = "westeurope"
Json = Any
"""A JSON value, or a model of the SDK, which is read like one."""
API_VERSIONS = {"disks": "2024-03-02", "snapshots": "2024-03-02", "galleries": "2024-03-03"}
MARKETPLACE = {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2", "version": "latest"}
PUBLIC_KEY = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@dataclass
class Faults:
    """How the guests that are started misbehave: asked by the hypervisor at each start."""

    next: Callable[[GuestSpec], GuestFault] = lambda _: GuestFault()

    def __call__(self, spec: GuestSpec) -> GuestFault:
        return self.next(spec)

    def always(self, **fault: Json) -> None:
        self.next = lambda _: GuestFault(**fault)

    def clear(self) -> None:
        self.next = lambda _: GuestFault()


@dataclass
class Estate:
    """Group ``g``, and short ways to fill it."""

    azure: Clients
    faults: Faults
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        token = self.azure.credential.get_token(f"{self.azure.cloud.endpoint}/.default").token
        self.session.headers["Authorization"] = f"Bearer {token}"

    def open(self) -> None:
        self.azure.resources.resource_groups.create_or_update("g", {"location": LOCATION})
        subnet = {"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}
        space: Json = {"addressPrefixes": ["10.0.0.0/16"]}
        body: Json = {"location": LOCATION, "properties": {"addressSpace": space, "subnets": [subnet]}}
        self.azure.network.virtual_networks.begin_create_or_update("g", "vnet", body).result()

    def close(self) -> None:
        self.faults.clear()
        for group in self.azure.resources.resource_groups.list():
            self.azure.resources.resource_groups.begin_delete(str(group.name)).result()
        self.session.close()

    # What there is.

    @property
    def compute(self) -> Json:
        return self.azure.compute

    @property
    def hypervisor(self) -> Json:
        return self.azure.cloud.cloud.hypervisor

    @property
    def group_id(self) -> str:
        return f"/subscriptions/{self.azure.cloud.account.subscription_id}/resourceGroups/g"

    def id(self, kind: str, name: str) -> str:
        return f"{self.group_id}/providers/Microsoft.Compute/{kind}/{name}"

    @property
    def subnet_id(self) -> str:
        return f"{self.group_id}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/s"

    def files(self, folder: str) -> list[Path]:
        """Give the files of disks or images."""
        return sorted((self.azure.cloud.state / folder).glob("*"))

    def guest_of(self, name: str = "vm") -> str:
        resource = self.azure.cloud.cloud.store.find(self.id("virtualMachines", name))
        assert resource is not None
        return str(resource.hidden["guest"])

    def guests(self) -> list[str]:
        """Give the guests that something is kept of."""
        return sorted(path.name for path in (self.azure.cloud.state / "guests").iterdir() if path.is_dir())

    def disk_path(self, name: str) -> str:
        resource = self.azure.cloud.cloud.store.find(self.id("disks", name))
        assert resource is not None
        return str(resource.hidden["path"])

    def call(self, method: str, path: str, body: Json = None, **options: Json) -> requests.Response:
        """Make a call without the SDK; ``path`` is below the group unless it is absolute."""
        url = (
            path
            if path.startswith("https:")
            else self.azure.cloud.endpoint
            + (path if path.startswith("/") else f"{self.group_id}/providers/Microsoft.Compute/{path}")
        )
        if "api-version" not in url:
            kind = re.split("[/?]", url.partition("/Microsoft.Compute/")[2])[0]
            version = options.pop("api_version", API_VERSIONS.get(kind, "2024-07-01"))
            url += ("&" if "?" in url else "?") + f"api-version={version}"
        verify = str(self.azure.cloud.ca_bundle)
        return self.session.request(method, url, json=body, timeout=30, verify=verify, **options)

    # What can be made.

    def make_nic(self, name: str = "nic") -> str:
        configuration = {"name": "c", "properties": {"subnet": {"id": self.subnet_id}}}
        body: Json = {"location": LOCATION, "properties": {"ipConfigurations": [configuration]}}
        return str(self.azure.network.network_interfaces.begin_create_or_update("g", name, body).result().id)

    def machine_body(self, nic: str, **properties: Json) -> dict[str, Any]:
        return {
            "location": LOCATION,
            "properties": {
                "hardwareProfile": {"vmSize": "Standard_B2s"},
                "storageProfile": {"imageReference": dict(MARKETPLACE), "osDisk": {"createOption": "FromImage"}},
                "osProfile": self.os_profile(computerName="vm"),
                "networkProfile": {"networkInterfaces": [{"id": nic}]},
                **properties,
            },
        }

    @staticmethod
    def os_profile(**more: Json) -> dict[str, Any]:
        key = {"path": "/home/azureuser/.ssh/authorized_keys", "keyData": PUBLIC_KEY}
        linux = {"disablePasswordAuthentication": True, "ssh": {"publicKeys": [key]}}
        return {"adminUsername": "azureuser", "linuxConfiguration": linux, **more}

    def begin_machine(self, name: str = "vm", **properties: Json) -> Json:
        nic = self.make_nic(f"{name}-nic")
        return self.compute.virtual_machines.begin_create_or_update("g", name, self.machine_body(nic, **properties))

    def make_machine(self, name: str = "vm", **properties: Json) -> Json:
        return self.begin_machine(name, **properties).result()

    def make_generalized(self, name: str = "vm", **properties: Json) -> Json:
        machine = self.make_machine(name, **properties)
        self.compute.virtual_machines.begin_deallocate("g", name).result()
        self.compute.virtual_machines.generalize("g", name)
        return machine

    def make_image(self, name: str = "image", machine: str = "vm", generation: str = "V2") -> Json:
        source = {"id": self.id("virtualMachines", machine)}
        body = {"location": LOCATION, "properties": {"sourceVirtualMachine": source, "hyperVGeneration": generation}}
        return self.compute.images.begin_create_or_update("g", name, body).result()

    def make_definition(self, **properties: Json) -> Json:
        self.compute.galleries.begin_create_or_update("g", "gallery", {"location": LOCATION}).result()
        facts = {
            "osType": "Linux",
            "osState": "Generalized",
            "hyperVGeneration": "V2",
            "identifier": {"publisher": "p", "offer": "o", "sku": "s"},
            **properties,
        }
        body = {"location": LOCATION, "properties": facts}
        return self.compute.gallery_images.begin_create_or_update("g", "gallery", "definition", body).result()

    def version_body(
        self, source: str, *, regions: tuple[str, ...] = (LOCATION,), **publishing: Json
    ) -> dict[str, Any]:
        profile = {"targetRegions": [{"name": region} for region in regions], **publishing}
        key = "virtualMachineId" if "/virtualMachines/" in source else "id"
        storage = {"source": {key: source}}
        return {"location": LOCATION, "properties": {"publishingProfile": profile, "storageProfile": storage}}

    def make_version(self, name: str = "1.0.0", source: str = "", **options: Json) -> Json:
        body = self.version_body(source or self.id("virtualMachines", "vm"), **options)
        versions = self.compute.gallery_image_versions
        return versions.begin_create_or_update("g", "gallery", "definition", name, body).result()

    def scale_set_body(self, capacity: int = 2, image: Json = None, **profile: Json) -> dict[str, Any]:
        configuration = {"name": "c", "properties": {"subnet": {"id": self.subnet_id}}}
        card = {"name": "nic", "properties": {"primary": True, "ipConfigurations": [configuration]}}
        return {
            "location": LOCATION,
            "sku": {"name": "Standard_B2s", "capacity": capacity},
            "properties": {
                "upgradePolicy": {"mode": "Manual"},
                "overprovision": False,
                "virtualMachineProfile": {
                    "osProfile": self.os_profile(computerNamePrefix="inst"),
                    "storageProfile": {
                        "imageReference": image or dict(MARKETPLACE),
                        "osDisk": {"createOption": "FromImage"},
                    },
                    "networkProfile": {"networkInterfaceConfigurations": [card]},
                    **profile,
                },
            },
        }

    def begin_scale_set(self, capacity: int = 2, image: Json = None, **profile: Json) -> Json:
        body = self.scale_set_body(capacity, image, **profile)
        return self.compute.virtual_machine_scale_sets.begin_create_or_update("g", "ss", body)

    def make_scale_set(self, capacity: int = 2, image: Json = None, **profile: Json) -> Json:
        return self.begin_scale_set(capacity, image, **profile).result()

    def instance_ids(self) -> list[str]:
        return [str(each.instance_id) for each in self.compute.virtual_machine_scale_set_vms.list("g", "ss")]

    def run(self, script: str, name: str = "vm") -> str:
        body = {"commandId": "RunShellScript", "script": [script]}
        return str(self.compute.virtual_machines.begin_run_command("g", name, body).result().value[0].message)

    @contextmanager
    def failing(self, **fault: Json) -> Iterator[None]:
        """Let guests that are started meanwhile misbehave."""
        self.faults.always(**fault)
        try:
            yield
        finally:
            self.faults.clear()


def power_state(view: Json) -> str:
    """Give the power state in an instance view."""
    return str(next(status.code for status in view.statuses if status.code.startswith("PowerState/")))
