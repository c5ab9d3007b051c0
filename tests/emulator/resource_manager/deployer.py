"""Deployments over plain HTTP: the SDK of this project has no client for them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from tests.emulator.clients import Clients

Json = Any
VERSION = "2022-09-01"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
NETWORK = "2023-04-01"


def template(resources: Json = (), **parts: Json) -> Json:
    """Make a template; ``parts`` are its other members."""
    listed = resources if isinstance(resources, dict) else list(resources)
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": listed, **parts}


def address(name: str, **more: Json) -> Json:
    """Make the definition of a public address."""
    return {
        "type": "Microsoft.Network/publicIPAddresses",
        "apiVersion": NETWORK,
        "name": name,
        "location": "[resourceGroup().location]",
        "sku": {"name": "Standard"},
        "properties": {"publicIPAllocationMethod": "Static"},
        **more,
    }


@dataclass
class Deployer:
    """Deploys to group ``g`` of a local Azure."""

    azure: Clients
    group: str = "g"
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        token = self.azure.credential.get_token(f"{self.azure.cloud.endpoint}/.default").token
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.session.trust_env = False
        self.session.verify = str(self.azure.cloud.ca_bundle)

    @property
    def base(self) -> str:
        return f"/subscriptions/{self.azure.cloud.account.subscription_id}/resourceGroups/{self.group}"

    def call(self, method: str, path: str, body: Json = None, version: str = VERSION) -> requests.Response:
        url = path if path.startswith("https") else f"{self.azure.cloud.endpoint}{self.base}{path}"
        if "api-version" not in url:
            url += f"{'&' if '?' in url else '?'}api-version={version}"
        return self.session.request(method, url, json=body, timeout=30)

    def put(self, content: Json, name: str = "d", mode: str = "Incremental", **parameters: Json) -> requests.Response:
        return self.call("PUT", self.path(name), self.body(content, mode, parameters))

    def body(self, content: Json, mode: str = "Incremental", parameters: Json = None) -> Json:
        given = {key: {"value": value} for key, value in (parameters or {}).items()}
        return {"properties": {"template": content, "mode": mode, "parameters": given}}

    def path(self, name: str = "d") -> str:
        return f"/providers/Microsoft.Resources/deployments/{name}"

    def deploy(self, content: Json, name: str = "d", mode: str = "Incremental", **parameters: Json) -> Json:
        """Deploy, wait for the end, and give the deployment as GET shows it."""
        answer = self.put(content, name, mode, **parameters)
        assert answer.status_code in {200, 201}, answer.text
        self.wait(answer)
        return self.call("GET", self.path(name)).json()

    def wait(self, answer: requests.Response) -> Json:
        for _ in range(2000):
            status = self.call("GET", answer.headers["Azure-AsyncOperation"]).json()
            if status["status"] not in {"Accepted", "Running"}:
                return status
            time.sleep(0.005)
        raise AssertionError(status)

    def outputs(self, **expressions: Json) -> Json:
        """Give the values of outputs, each written without its type."""
        outputs = {name: {"type": "object", "value": text} for name, text in expressions.items()}
        properties = self.deploy(template(outputs=outputs))["properties"]
        assert properties["provisioningState"] == "Succeeded", properties
        return {name: output["value"] for name, output in properties["outputs"].items()}

    def refusal(self, content: Json, **parameters: Json) -> Json:
        """Give the error with which a deployment is refused, and see that validation refuses it likewise."""
        answer = self.put(content, "refused", **parameters)
        assert answer.status_code == 400, answer.text
        checked = self.call("POST", self.path("refused") + "/validate", self.body(content, parameters=parameters))
        assert (checked.status_code, checked.json()["error"]["code"]) == (400, answer.json()["error"]["code"])
        assert self.call("GET", self.path("refused")).status_code == 404
        return answer.json()["error"]

    def failure(self, content: Json, **parameters: Json) -> Json:
        """Give the error of a deployment that begins and fails."""
        properties = self.deploy(content, **parameters)["properties"]
        assert properties["provisioningState"] == "Failed"
        return properties["error"]
