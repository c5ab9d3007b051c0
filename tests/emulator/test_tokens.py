from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError

from tests.emulator.clients import Clients
from verified_images.emulator.identity import issue_token

if TYPE_CHECKING:
    from verified_images.emulator import LocalCloud


def call(cloud: LocalCloud, token: str | None, path: str = "") -> requests.Response:
    url = path or f"/subscriptions/{cloud.account.subscription_id}/resourceGroups?api-version=2024-07-01"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(cloud.endpoint + url, headers=headers, verify=str(cloud.ca_bundle), timeout=10)


def code_of(response: requests.Response) -> Any:  # noqa: ANN401 - JSON
    return response.json()["error"]["code"]


def test_a_call_without_a_token_is_refused_with_a_challenge(local_cloud: LocalCloud) -> None:
    response = call(local_cloud, None)
    assert (response.status_code, code_of(response)) == (401, "AuthenticationFailed")
    assert response.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_an_expired_token_is_refused(local_cloud: LocalCloud) -> None:
    response = call(local_cloud, issue_token(local_cloud.account, "127.0.0.1", lifetime=-60))
    assert (response.status_code, code_of(response)) == (401, "ExpiredAuthenticationToken")


def test_a_token_of_someone_else_is_refused(local_cloud: LocalCloud) -> None:
    forged = jwt.encode({"aud": "https://management.azure.com/"}, "x" * 64, "HS512")
    response = call(local_cloud, forged)
    assert (response.status_code, code_of(response)) == (401, "InvalidAuthenticationToken")


def test_a_token_tells_the_callers_address(azure: Clients) -> None:
    token = azure.credential.get_token(f"{azure.cloud.endpoint}/.default").token
    assert jwt.decode(token, options={"verify_signature": False})["ipaddr"] == "127.0.0.1"


def test_a_wrong_secret_is_refused(local_cloud: LocalCloud) -> None:
    clients = Clients(local_cloud, secret="wrong")
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        clients.credential.get_token("https://management.azure.com/.default")
    clients.close()


def test_a_call_without_an_api_version_is_refused(local_cloud: LocalCloud) -> None:
    token = issue_token(local_cloud.account, "127.0.0.1")
    path = f"/subscriptions/{local_cloud.account.subscription_id}/resourceGroups"
    response = call(local_cloud, token, path)
    assert (response.status_code, code_of(response)) == (400, "MissingApiVersionParameter")


def test_another_subscription_is_not_found(local_cloud: LocalCloud) -> None:
    token = issue_token(local_cloud.account, "127.0.0.1")
    response = call(local_cloud, token, "/subscriptions/other/resourceGroups?api-version=2024-07-01")
    assert (response.status_code, code_of(response)) == (404, "SubscriptionNotFound")
