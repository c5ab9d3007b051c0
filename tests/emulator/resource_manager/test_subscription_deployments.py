"""Deployments to a subscription: groups, and nested deployments into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.resource_manager.deployer import Deployer, Json, address, template

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

BASE = "/providers/Microsoft.Resources/deployments"
GROUP: Json = {
    "type": "Microsoft.Resources/resourceGroups",
    "apiVersion": "2022-09-01",
    "name": "[parameters('group')]",
    "location": "westeurope",
    "tags": {"made": "by template"},
}
NESTED: Json = {
    "type": "Microsoft.Resources/deployments",
    "apiVersion": "2022-09-01",
    "name": "inside",
    "resourceGroup": "[parameters('group')]",
    "dependsOn": ["[resourceId('Microsoft.Resources/resourceGroups', parameters('group'))]"],
    "properties": {
        "mode": "Incremental",
        "expressionEvaluationOptions": {"scope": "inner"},
        "template": template([address("ip")]),
    },
}


class ToSubscription(Deployer):
    """Deploys to the subscription."""

    @property
    def base(self) -> str:
        return f"/subscriptions/{self.azure.cloud.account.subscription_id}"

    def body(self, content: Json, mode: str = "Incremental", parameters: Json = None) -> Json:
        return {"location": "West Europe", **super().body(content, mode, parameters)}


@pytest.fixture
def subscription(deployer: Deployer) -> Iterator[ToSubscription]:
    to = ToSubscription(deployer.azure)
    yield to
    for made in to.call("GET", f"{BASE}/").json()["value"]:
        to.call("DELETE", f"{BASE}/{made['name']}")
    if to.call("HEAD", "/resourceGroups/made").status_code == 204:
        deployer.azure.resources.resource_groups.begin_delete("made").result()
    to.session.close()


def content(*resources: Json, **parts: Json) -> Json:
    return template(list(resources), parameters={"group": {"type": "string"}}, **parts)


def error(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_template_makes_a_group_and_deploys_into_it(subscription: ToSubscription) -> None:
    outputs = {"id": {"type": "string", "value": "[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'x')]"}}
    first = subscription.put(content(NESTED, GROUP, outputs=outputs), group="made")
    assert first.status_code == 201, first.text
    assert first.json()["id"] == f"{subscription.base}{BASE}/d"
    assert first.json()["location"] == "westeurope"
    assert f"{BASE}/d/operationStatuses/" in first.headers["Azure-AsyncOperation"]
    subscription.wait(first)
    done = subscription.call("GET", f"{BASE}/d").json()
    assert done["properties"]["provisioningState"] == "Succeeded", done
    assert done["properties"]["outputs"]["id"]["value"] == f"{subscription.base}/resourceGroups/x"
    assert subscription.call("GET", "/resourceGroups/made").json()["tags"] == {"made": "by template"}
    path = "/resourceGroups/made/providers/Microsoft.Network/publicIPAddresses/ip"
    assert subscription.call("GET", path, version="2023-04-01").status_code == 200
    targets = [
        operation["properties"]["targetResource"]["resourceType"]
        for operation in subscription.call("GET", f"{BASE}/d/operations").json()["value"]
        if "targetResource" in operation["properties"]
    ]
    assert targets == ["Microsoft.Resources/resourceGroups", "Microsoft.Resources/deployments"]


def test_deployments_of_the_subscription_are_apart_from_those_of_groups(
    subscription: ToSubscription, deployer: Deployer
) -> None:
    subscription.deploy(template(), name="above")
    deployer.deploy(template(), name="within")
    assert [each["name"] for each in subscription.call("GET", f"{BASE}/").json()["value"]] == ["above"]
    assert [each["name"] for each in deployer.call("GET", f"{BASE}/").json()["value"]] == ["within"]
    assert subscription.call("HEAD", f"{BASE}/above").status_code == 204
    assert error(subscription.call("POST", f"{BASE}/above/cancel")) == (409, "DeploymentCannotBeCancelled")
    assert subscription.call("POST", f"{BASE}/above/exportTemplate").json()["template"] == template()
    assert subscription.call("DELETE", f"{BASE}/above").status_code == 202
    assert error(subscription.call("GET", f"{BASE}/above")) == (404, "DeploymentNotFound")


def test_a_deployment_is_checked_and_foreseen_without_being_made(subscription: ToSubscription) -> None:
    body = subscription.body(content(GROUP), parameters={"group": "foreseen"})
    checked = subscription.call("POST", f"{BASE}/d/validate", body).json()
    group = f"{subscription.base}/resourceGroups/foreseen"
    assert checked["properties"]["validatedResources"] == [{"id": group}]
    answer = subscription.call("POST", f"{BASE}/d/whatIf", body)
    assert answer.status_code == 202
    while answer.status_code == 202:
        answer = subscription.call("GET", answer.headers["Location"])
    changes = [(each["resourceId"], each["changeType"]) for each in answer.json()["properties"]["changes"]]
    assert changes == [(group, "Create")]
    assert subscription.call("GET", "/resourceGroups/foreseen").status_code == 404


def test_a_deployment_needs_a_location_and_groups_that_are_there(subscription: ToSubscription) -> None:
    without = {"properties": subscription.body(template())["properties"]}
    assert error(subscription.call("PUT", f"{BASE}/d", without)) == (400, "InvalidDeployment")
    nowhere = {key: value for key, value in NESTED.items() if key != "dependsOn"}
    assert error(subscription.put(content(nowhere), group="missing")) == (404, "ResourceGroupNotFound")
    complete = subscription.call("PUT", f"{BASE}/d", subscription.body(template(), "Complete"))
    assert error(complete) == (400, "NotSupported")
