"""The azure CLI builds an image on the local Azure and does not notice that it is not Azure; one test after another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.azure_cli import AzureCli, Json

pytestmark = pytest.mark.xdist_group("azure-cli")

TEMPLATE = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {"name": {"type": "string"}},
    "resources": [
        {
            "type": "Microsoft.Network/publicIPAddresses",
            "apiVersion": "2023-04-01",
            "name": "[parameters('name')]",
            "location": "[resourceGroup().location]",
            "sku": {"name": "Standard"},
            "properties": {"publicIPAllocationMethod": "Static"},
        }
    ],
    "outputs": {"address": {"type": "string", "value": "[reference(parameters('name')).ipAddress]"}},
}


@pytest.fixture(scope="module")
def group(az: AzureCli) -> str:
    assert (
        az("group create --name g --location westeurope --tags a=b")["properties"]["provisioningState"] == "Succeeded"
    )
    return "g"


@pytest.fixture(scope="module")
def machine(az: AzureCli, group: str, public_key: Path) -> Json:
    return az(
        f"vm create -g {group} --name vm --image Debian:debian-12:12-gen2:latest --size Standard_B2s "
        f"--admin-username azureuser --ssh-key-values {public_key} --tags made=by-az --nsg-rule SSH"
    )


@pytest.fixture(scope="module")
def version(az: AzureCli, group: str, machine: Json) -> str:
    """Give the id of the image version that is made of the machine."""
    az(f"vm deallocate --ids {machine['id']}")
    az(f"vm generalize --ids {machine['id']}")
    image = az(f"image create -g {group} --name image --source vm --hyper-v-generation V2")
    az(f"sig create -g {group} --gallery-name gallery")
    az(
        f"sig image-definition create -g {group} -r gallery -i definition --publisher p --offer o --sku s "
        "--os-type Linux --hyper-v-generation V2 --os-state Generalized"
    )
    made = az(
        f"sig image-version create -g {group} -r gallery -i definition -e 1.0.0 --managed-image {image['id']} "
        "--target-regions westeurope=1=standard_lrs"
    )
    return str(made["id"])


def test_a_machine_is_created_by_a_deployment_of_its_own(az: AzureCli, group: str, machine: Json) -> None:
    assert machine["powerState"] == "VM running"
    assert az(f"vm show -g {group} --name vm --show-details")["publicIps"] == machine["publicIpAddress"]
    (deployment,) = az(f"deployment group list -g {group}")
    assert deployment["properties"]["provisioningState"] == "Succeeded"
    operations = az(f"deployment operation group list -g {group} --name {deployment['name']}")
    kinds = {operation["properties"]["targetResource"]["resourceType"] for operation in operations}
    assert {"Microsoft.Compute/virtualMachines", "Microsoft.Network/networkInterfaces"} <= kinds


def test_a_script_runs_on_the_machine(az: AzureCli, group: str, machine: Json) -> None:
    del machine
    answer = az(f"vm run-command invoke -g {group} --name vm --command-id RunShellScript --scripts", "echo out; id -u")
    assert "out\n0\n" in answer["value"][0]["message"]


def test_resources_are_found_by_tag(az: AzureCli, group: str, machine: Json) -> None:
    names = az("resource list --tag made=by-az --query [].name")
    assert machine["id"].rpartition("/")[2] in names
    assert az(f"group show --name {group}")["tags"] == {"a": "b"}


def test_a_template_is_validated_foreseen_and_deployed(az: AzureCli, group: str, tmp_path: Path) -> None:
    file = tmp_path / "template.json"
    file.write_text("// as a person writes it\n" + json.dumps(TEMPLATE, indent=2))
    what = f"-g {group} --name mine --template-file {file} --parameters name=address"
    assert az(f"deployment group validate {what}")["error"] is None
    foreseen = az(f"deployment group what-if --no-pretty-print {what}")
    assert {"Create", "Ignore"} >= {change["changeType"] for change in foreseen["changes"]}
    outputs = az(f"deployment group create {what}")["properties"]["outputs"]
    assert outputs["address"]["value"] == az(f"network public-ip show -g {group} --name address")["ipAddress"]
    again = az(f"deployment group what-if --no-pretty-print {what}")["changes"]
    assert [change["changeType"] for change in again if change["resourceId"].endswith("/address")] == ["NoChange"]
    assert "The value for the template parameter 'name' is not provided" in az.refusal(
        f"deployment group validate -g {group} --template-file {file} --no-prompt"
    )
    az(f"deployment group delete -g {group} --name mine")


def test_an_extension_runs_its_script(az: AzureCli, group: str, machine: Json) -> None:
    del machine
    settings = json.dumps({"commandToExecute": "true"})
    extension = az(
        f"vm extension set -g {group} --vm-name vm --publisher Microsoft.Azure.Extensions --name CustomScript "
        "--version 2.1 --settings",
        settings,
    )
    assert extension["provisioningState"] == "Succeeded"


def test_a_lock_keeps_a_group(az: AzureCli, group: str) -> None:
    az(f"lock create --name keep -g {group} --lock-type CanNotDelete")
    assert "ScopeLocked" in az.refusal(f"group delete --name {group} --yes")
    az(f"lock delete --name keep -g {group}")


def test_a_tag_is_added_to_a_resource(az: AzureCli, machine: Json) -> None:
    az(f"tag update --resource-id {machine['id']} --operation merge --tags more=tags")
    assert az(f"tag list --resource-id {machine['id']}")["properties"]["tags"] == {"made": "by-az", "more": "tags"}


def test_a_disk_can_be_downloaded_while_nobody_uses_it(az: AzureCli, group: str) -> None:
    az(f"disk create -g {group} --name disk --size-gb 4")
    assert az(f"disk grant-access -g {group} --name disk --duration-in-seconds 600")["accessSAS"].startswith("https://")
    az(f"disk revoke-access -g {group} --name disk")


def test_a_version_is_replicated(az: AzureCli, group: str, version: str) -> None:
    shown = az(f"sig image-version show -g {group} -r gallery -i definition -e 1.0.0 --expand ReplicationStatus")
    assert (shown["id"].lower(), shown["replicationStatus"]["aggregatedState"]) == (version.lower(), "Completed")


@pytest.mark.parametrize(("orchestration", "number"), [("Uniform", "1.0.0"), ("Flexible", "latest")])
def test_a_scale_set_runs_the_image(
    az: AzureCli, version: str, public_key: Path, orchestration: str, number: str
) -> None:
    group, image = "g", f"{version.rpartition('/')[0]}/{number}"
    az(
        f"vmss create -g {group} --name {orchestration} --image {image} --orchestration-mode {orchestration} "
        f"--instance-count 2 --vm-sku Standard_B2s --admin-username azureuser --ssh-key-values {public_key} "
        "--security-type Standard"
    )
    assert len(az(f"vmss list-instances -g {group} --name {orchestration}")) == 2
    az(f"vmss scale -g {group} --name {orchestration} --new-capacity 1")
    assert len(az(f"vmss list-instances -g {group} --name {orchestration}")) == 1


def test_everything_is_deleted_with_its_group(az: AzureCli, group: str) -> None:
    az(f"group delete --name {group} --yes")
    assert az(f"group exists --name {group}") is False
    assert az("resource list") == []
