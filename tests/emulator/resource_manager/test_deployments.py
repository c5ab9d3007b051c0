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


def test_a_deployment_registers_the_providers_that_it_needs(deployer: Deployer) -> None:
    provider = (
        f"{deployer.azure.cloud.endpoint}{deployer.base.partition('/resourceGroups')[0]}/providers/Microsoft.Network"
    )
    assert deployer.call("POST", provider + "/unregister").status_code == 200
    assert deployer.deploy(template([address("ip")]))["properties"]["provisioningState"] == "Succeeded"
    assert deployer.call("GET", provider).json()["registrationState"] == "Registered"


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


def test_a_deployment_is_listed_checked_for_exported_and_forgotten_while_its_resources_stay(deployer: Deployer) -> None:
    content = template([address("ip")])
    deployer.deploy(content)
    deployer.deploy(template([address("n/o")]) | {"resources": []}, "empty")
    path = deployer.path()
    listed = deployer.call("GET", "/providers/Microsoft.Resources/deployments/").json()["value"]
    assert [found["name"] for found in listed] == ["empty", "d"]
    query = "/providers/Microsoft.Resources/deployments/?$filter=provisioningState eq 'Failed'"
    assert deployer.call("GET", query).json()["value"] == []
    assert deployer.call("HEAD", path).status_code == 204
    assert deployer.call("POST", path + "/exportTemplate").json() == {"template": content}
    operation = deployer.call("GET", path + "/operations").json()["value"][0]
    assert operation["properties"]["statusCode"] == "Created"
    assert operation["properties"]["targetResource"]["resourceType"] == "Microsoft.Network/publicIPAddresses"
    assert deployer.call("GET", f"{path}/operations/{operation['operationId']}").json() == operation
    assert deployer.call("GET", "/deployments/d/operations").json()["value"] == [operation]
    gone = deployer.call("DELETE", path)
    assert (gone.status_code, "operationresults" in gone.headers["Location"]) == (202, True)
    assert deployer.call("GET", gone.headers["Location"]).status_code == 204
    assert deployer.call("HEAD", path).status_code == 404
    assert deployer.call("GET", path).json()["error"]["code"] == "DeploymentNotFound"
    assert deployer.call("DELETE", path).status_code == 204
    assert deployer.azure.network.public_ip_addresses.get("g", "ip").name == "ip"


def test_a_secret_parameter_is_used_and_never_shown(deployer: Deployer) -> None:
    content = template(
        [address("ip", tags={"hash": "[uniqueString(parameters('secret'))]"})],
        parameters={"secret": {"type": "secureString"}, "open": {"type": "int", "defaultValue": 3}},
        outputs={"secret": {"type": "securestring", "value": "[parameters('secret')]"}},
    )
    answer = deployer.deploy(content, secret="hunter2")
    assert answer["properties"]["parameters"] == {
        "secret": {"type": "SecureString"},
        "open": {"type": "Int", "value": 3},
    }
    assert answer["properties"]["outputs"] == {"secret": {"type": "SecureString"}}
    assert "hunter2" not in str(answer)
    tags = deployer.azure.network.public_ip_addresses.get("g", "ip").tags
    assert tags is not None
    assert len(tags["hash"]) == 13
    assert b"hunter2" not in (deployer.azure.cloud.state / "arm.sqlite").read_bytes()


def test_failures_are_told_one_by_one_and_what_needs_them_is_left_out(deployer: Deployer) -> None:
    lonely = NIC | {"name": "lonely", "dependsOn": [], "properties": {"ipConfigurations": []}}
    after = address("after", dependsOn=["lonely"])
    error = deployer.failure(template([lonely, after, address("fine")]))
    assert error["code"] == "DeploymentFailed"
    assert error["target"].endswith("/providers/Microsoft.Resources/deployments/d")
    assert error["message"].startswith("At least one resource deployment operation failed. Please list deployment")
    assert len(error["details"]) == 1
    assert dict(states(deployer)) == {"lonely": "Failed", "fine": "Succeeded"}
    failed = deployer.call("GET", deployer.path() + "/operations").json()["value"]
    messages = [entry["properties"]["statusMessage"] for entry in failed if "statusMessage" in entry["properties"]]
    assert messages == [{"status": "Failed", "error": error["details"][0]}]


def test_copies_and_conditions_make_the_resources_that_they_say(deployer: Deployer) -> None:
    many = address("[format('ip{0}', copyIndex(1))]", copy={"name": "many", "count": "[parameters('count')]"})
    never = address("never", condition="[greater(parameters('count'), 5)]")
    serial = address(
        "[concat('s', copyIndex())]",
        copy={"name": "row", "count": 3, "mode": "serial", "batchSize": 1},
        dependsOn=["many"],
    )
    none = address("none", copy={"name": "no", "count": 0}, dependsOn=[])
    content = template(
        [serial, never, many, none, address("last", dependsOn=["row", "never", "no"])],
        parameters={"count": {"type": "int"}},
        outputs={
            "ips": {
                "type": "array",
                "copy": {"count": 2, "input": "[reference(concat('ip', copyIndex(1))).ipAddress]"},
            },
            "no": {"condition": "[equals(1, 2)]", "type": "string", "value": "[reference('never').ipAddress]"},
        },
    )
    properties = deployer.deploy(content, count=2)["properties"]
    assert properties["provisioningState"] == "Succeeded", properties
    assert len(set(properties["outputs"]["ips"]["value"])) == 2
    assert "no" not in properties["outputs"]
    names = [name for name, _ in states(deployer)]
    assert (set(names[:2]), names[2:]) == ({"ip1", "ip2"}, ["s0", "s1", "s2", "last", None])


def test_a_reference_makes_its_resource_come_first(deployer: Deployer) -> None:
    tagged = address(
        "tagged", tags={"of": "[reference(resourceId('Microsoft.Network/publicIPAddresses', 'ip')).ipAddress]"}
    )
    full = address("full", tags={"in": "[reference('tagged', '2023-04-01', 'Full').location]"})
    assert deployer.deploy(template([full, tagged, address("ip")]))["properties"]["provisioningState"] == "Succeeded"
    assert [name for name, _ in states(deployer)] == ["ip", "tagged", "full"]
    read = deployer.azure.network.public_ip_addresses
    assert read.get("g", "tagged").tags == {"of": read.get("g", "ip").ip_address}
    assert read.get("g", "full").tags == {"in": "westeurope"}


def test_complete_mode_deletes_what_the_template_does_not_have(deployer: Deployer) -> None:
    deployer.deploy(template([NIC, NET, address("ip")]))
    deployer.deploy(template([address("ip")]), "e", "Complete")
    assert [found.name for found in deployer.azure.resources.resources.list_by_resource_group("g")] == ["ip"]


def test_the_functions_of_the_deployment_tell_where_it_is(deployer: Deployer) -> None:
    subscription = deployer.azure.cloud.account.subscription_id
    base = f"/subscriptions/{subscription}"
    found = deployer.outputs(
        group="[resourceGroup().id]",
        place="[resourceGroup().location]",
        subscription="[subscription().subscriptionId]",
        tenant="[tenant().tenantId]",
        name="[deployment().name]",
        mine="[resourceId('Microsoft.X/a/b', 'one', 'two')]",
        other="[resourceId('h', 'Microsoft.X/a', 'one')]",
        wide="[subscriptionResourceId('Microsoft.X/a', 'one')]",
        extension="[extensionResourceId(resourceGroup().id, 'Microsoft.X/a', 'one')]",
        everywhere="[tenantResourceId('Microsoft.X/a', 'one')]",
        manager="[environment().resourceManager]",
        zones="[pickZones('Microsoft.Compute', 'virtualMachines', 'westeurope', 2)]",
        kind="[providers('Microsoft.Network', 'loadBalancers').resourceType]",
    )
    assert found == {
        "group": f"{base}/resourceGroups/g",
        "place": "westeurope",
        "subscription": subscription,
        "tenant": deployer.azure.cloud.account.tenant_id,
        "name": "d",
        "mine": f"{base}/resourceGroups/g/providers/Microsoft.X/a/one/b/two",
        "other": f"{base}/resourceGroups/h/providers/Microsoft.X/a/one",
        "wide": f"{base}/providers/Microsoft.X/a/one",
        "extension": f"{base}/resourceGroups/g/providers/Microsoft.X/a/one",
        "everywhere": "/providers/Microsoft.X/a/one",
        "manager": f"{deployer.azure.cloud.endpoint}/",
        "zones": ["1", "2"],
        "kind": "loadBalancers",
    }


def test_a_symbolic_loop_stands_for_all_its_turns(deployer: Deployer) -> None:
    resources = {
        "after": address("after", dependsOn=["row", "none"]),
        "row": address("[concat('ip', copyIndex())]", copy={"name": "r", "count": 2}),
        "none": address("[concat('no', copyIndex())]", copy={"name": "n", "count": 0}),
    }
    outputs = {
        "all": {"type": "array", "value": "[map(references('row'), lambda('r', lambdaVariables('r').ipAddress))]"}
    }
    properties = deployer.deploy(template(resources, languageVersion="2.0", outputs=outputs))["properties"]
    assert properties["provisioningState"] == "Succeeded", properties
    assert len(set(properties["outputs"]["all"]["value"])) == 2
    assert [name for name, _ in states(deployer)][2:] == ["after", None]


def test_symbolic_names_stand_for_resources(deployer: Deployer) -> None:
    resources = {
        "second": address("two", dependsOn=["first"], tags={"of": "[reference('first').ipAddress]"}),
        "first": address("one"),
        "there": address("one", existing=True) | {"name": "old"},
    }
    deployer.deploy(template([address("old")]), "before")
    content = template(
        resources,
        languageVersion="2.0",
        definitions={"size": {"type": "int", "maxValue": 3}},
        parameters={"n": {"$ref": "#/definitions/size", "defaultValue": 2}, "no": {"type": "string", "nullable": True}},
        outputs={"old": {"type": "string", "value": "[reference('there').ipAddress]"}},
    )
    properties = deployer.deploy(content)["properties"]
    assert properties["provisioningState"] == "Succeeded", properties
    assert (
        properties["outputs"]["old"]["value"] == deployer.azure.network.public_ip_addresses.get("g", "old").ip_address
    )
    assert [name for name, _ in states(deployer)][:2] == ["one", "two"]


def nested(scope: str, inner: Json, **properties: Json) -> Json:
    return {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2022-09-01",
        "name": "inner",
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": scope},
            "template": inner,
            **properties,
        },
    }


def test_a_nested_template_sees_its_own_names_or_those_around_it(deployer: Deployer) -> None:
    names = {
        "variables": {"v": "outside"},
        "outputs": {"o": {"type": "string", "value": "[reference('inner').outputs.o.value]"}},
    }
    seen = {"o": {"type": "string", "value": "[concat(variables('v'), '-', reference('nip').provisioningState)]"}}
    outer = deployer.deploy(template([nested("outer", template([address("nip")], outputs=seen))], **names))
    assert outer["properties"]["outputs"]["o"]["value"] == "outside-Succeeded"
    own = template(
        [address("nip")], outputs=seen, parameters={"p": {"type": "string"}}, variables={"v": "[parameters('p')]"}
    )
    given = {"p": {"value": "[variables('v')]"}}
    inner = deployer.deploy(template([nested("inner", own, parameters=given)], **names))
    assert inner["properties"]["outputs"]["o"]["value"] == "outside-Succeeded"


def test_a_failure_inside_is_told_outside(deployer: Deployer) -> None:
    lonely = NIC | {"name": "lonely", "dependsOn": [], "properties": {"ipConfigurations": []}}
    error = deployer.failure(template([nested("inner", template([lonely]))]))
    assert [(detail["code"], detail["target"].rpartition("/")[2]) for detail in error["details"]] == [
        ("DeploymentFailed", "inner")
    ]


def test_an_output_that_cannot_be_evaluated_fails_the_deployment(deployer: Deployer) -> None:
    error = deployer.failure(template(outputs={"o": {"type": "string", "value": "[reference('none').x]"}}))
    assert error["code"] == "DeploymentOutputEvaluationFailed"
    assert error["details"][0]["message"].startswith(
        "The template output 'o' is not valid: The template reference 'none'"
    )


def test_validation_answers_with_what_would_be_deployed_and_deploys_nothing(deployer: Deployer) -> None:
    answer = deployer.call("POST", deployer.path() + "/validate", deployer.body(template([address("ip")])))
    assert answer.status_code == 200
    properties = answer.json()["properties"]
    assert properties["provisioningState"] == "Succeeded"
    assert [found["id"].rpartition("/")[2] for found in properties["validatedResources"]] == ["ip"]
    assert list(deployer.azure.network.public_ip_addresses.list("g")) == []


def test_what_if_tells_each_change_and_makes_none(deployer: Deployer) -> None:
    deployer.deploy(template([address("same"), address("new-tag"), address("left")]))
    body = deployer.body(template([address("same"), address("new-tag", tags={"a": "b"}), address("made")]))
    started = deployer.call("POST", deployer.path() + "/whatIf", body)
    assert started.status_code == 202
    result = deployer.call("GET", started.headers["Location"]).json()
    assert result["status"] == "Succeeded"
    changes = {change["resourceId"].rpartition("/")[2]: change for change in result["properties"]["changes"]}
    kinds = {name: change["changeType"] for name, change in changes.items()}
    assert kinds == {"same": "NoChange", "new-tag": "Modify", "left": "Ignore", "made": "Create"}
    assert changes["new-tag"]["delta"] == [{"path": "tags", "propertyChangeType": "Create", "after": {"a": "b"}}]
    assert "before" not in changes["made"]
    complete = deployer.call(
        "POST", deployer.path() + "/whatIf", body | {"properties": body["properties"] | {"mode": "Complete"}}
    )
    found = deployer.call("GET", complete.headers["Location"]).json()["properties"]["changes"]
    assert [change["changeType"] for change in found if change["resourceId"].endswith("left")] == ["Delete"]
    assert {address.name for address in deployer.azure.network.public_ip_addresses.list("g")} == {
        "same",
        "new-tag",
        "left",
    }


def test_a_deployment_that_has_ended_cannot_be_cancelled(deployer: Deployer) -> None:
    deployer.deploy(template())
    answer = deployer.call("POST", deployer.path() + "/cancel")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "DeploymentCannotBeCancelled")
