"""Plain calls to a local Azure, as one of its applications."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from verified_images.emulator.identity import issue_token

if TYPE_CHECKING:
    from verified_images.emulator import LocalCloud


@dataclass
class Caller:
    """Makes calls with a token, below the subscription unless the path says otherwise."""

    cloud: LocalCloud
    token: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.token = self.token or issue_token(self.cloud.account, "127.0.0.1")
        self.session.headers["Authorization"] = f"Bearer {self.token}"

    @property
    def subscription(self) -> str:
        return f"/subscriptions/{self.cloud.account.subscription_id}"

    def __call__(self, method: str, path: str, body: Any = None, version: str = "2024-07-01") -> requests.Response:  # noqa: ANN401 - JSON
        url = path if path.startswith("https:") else self.cloud.endpoint + path
        if not path.startswith(("https:", "/")):
            url = f"{self.cloud.endpoint}{self.subscription}/{path}"
        if "api-version" not in url:
            url += ("&" if "?" in url else "?") + f"api-version={version}"
        return self.session.request(method, url, json=body, timeout=30, verify=str(self.cloud.ca_bundle))

    def make_group(self, name: str, **more: Any) -> None:  # noqa: ANN401 - JSON
        assert self("PUT", f"resourceGroups/{name}", {"location": "westeurope", **more}).status_code == 201

    def make_network(self, group: str, name: str, **more: Any) -> str:  # noqa: ANN401 - JSON
        path = f"resourceGroups/{group}/providers/Microsoft.Network/virtualNetworks/{name}"
        space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
        body = {"location": "westeurope", "properties": space, **more}
        assert self("PUT", path, body, "2024-05-01").status_code == 201
        return f"{self.subscription}/{path}"

    def delete_group(self, name: str) -> None:
        answer = self("DELETE", f"resourceGroups/{name}")
        assert answer.status_code == 202
        while self("GET", answer.headers["Location"]).status_code == 202:
            time.sleep(0.005)


def error_of(response: requests.Response) -> tuple[int, str]:
    """Give status and error code of an answer that refuses."""
    return response.status_code, str(response.json()["error"]["code"])
