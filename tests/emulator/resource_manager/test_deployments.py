from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.emulator.resource_manager.deployer import NETWORK, address, template

if TYPE_CHECKING:
    from tests.emulator.resource_manager.deployer import Deployer, Json

NIC = {
    "type": "Microsoft.Network/networkInterfaces",
    "apiVersion": NETWORK,
    "name": "nic",
    "location": "westeurope",
    "dependsOn": ["Microsoft.Network/virtualNetworks/net", "[resourceId('Microsoft.Network/publicIPAddresses', 'ip')]"],
    "properties": {
        "ipConfigurations": [
            {
                "name": "main",
                "properties": {
                    "subnet": {"id": "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'net', 'inside')]"},
                    "publicIPAddress": {"id": "[resourceId('Microsoft.Network/publicIPAddresses', 'ip')]"},
                },
            }
        ]
    },
}
NET = {
    "type": "Microsoft.Network/virtualNetworks",
    "apiVersion": NETWORK,
    "name": "net",
    "location": "westeurope",
    "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "inside", "properties": {"addressPrefix": "10.0.0.0/24"}}],
    },
}


def states(deployer: Deployer, name: str = "d") -> Json:
    operations = deployer.call("GET", deployer.path(name) + "/operations").json()["value"]
    return [
        (entry["properties"].get("targetResource", {}).get("resourceName"), entry["properties"]["provisioningState"])
        for entry in operations
    ]


def test_a_deployment_is_accepted_then_carried_out_in_the_order_of_its_dependencies(deployer: Deployer) -> None:
    content = template(
        [NIC, NET, address("ip")], outputs={"ip": {"type": "string", "value": "[reference('ip').ipAddress]"}}
    )
    answer = deployer.put(content)
    first = answer.json()
    assert answer.status_code == 201
    assert re.search(r"/deployments/d/operationStatuses/\d{20}\?", answer.headers["Azure-AsyncOperation"])
    assert first["properties"]["provisioningState"] == "Accepted"
    assert "outputs" not in first["properties"]
    assert first["properties"]["providers"] == [
        {
            "namespace": "Microsoft.Network",
            "resourceTypes": [
                {"resourceType": name, "locations": ["westeurope"]}
                for name in ("networkInterfaces", "virtualNetworks", "publicIPAddresses")
            ],
        }
    ]
    assert [need["resourceName"] for need in first["properties"]["dependencies"][0]["dependsOn"]] == ["net", "ip"]
    assert deployer.wait(answer) == {"status": "Succeeded"}
    properties = deployer.call("GET", deployer.path()).json()["properties"]
    assert properties["provisioningState"] == "Succeeded"
    assert properties["outputs"]["ip"]["type"] == "String"
    assert re.fullmatch(r"[\d.]+", properties["outputs"]["ip"]["value"])
    assert [entry["id"].rpartition("/")[2] for entry in properties["outputResources"]] == ["nic", "ip", "net"]
    names = [name for name, state in states(deployer) if state == "Succeeded"]
    assert set(names[:2]) == {"net", "ip"}
    assert names[2:] == ["nic", None]


def test_deploying_again_changes_what_is_there(deployer: Deployer) -> None:
    deployer.deploy(template([address("ip")]))
    assert deployer.put(template([address("ip", tags={"a": "b"})])).status_code == 200


def test_what_is_below_a_network_type_is_deployed_as_a_resource_of_its_own(deployer: Deployer) -> None:
    group = {
        "type": "Microsoft.Network/networkSecurityGroups",
        "apiVersion": NETWORK,
        "name": "nsg",
        "location": "westeurope",
        "properties": {},
    }
    rule = {
        "type": "Microsoft.Network/networkSecurityGroups/securityRules",
        "apiVersion": NETWORK,
        "name": "nsg/ssh",
        "dependsOn": ["nsg"],
        "properties": {
            "priority": 100,
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "sourcePortRange": "*",
            "sourceAddressPrefix": "*",
            "destinationPortRange": "22",
            "destinationAddressPrefix": "*",
        },
    }
    assert deployer.deploy(template([rule, group]))["properties"]["provisioningState"] == "Succeeded"
    shown = deployer.call("GET", "/providers/Microsoft.Network/networkSecurityGroups/nsg", version=NETWORK).json()
    assert [found["name"] for found in shown["properties"]["securityRules"]] == ["ssh"]
