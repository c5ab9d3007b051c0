"""The connection: made lazily, quiet, and gone once closed."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.core.rest import HttpRequest

from tests.cloud.scripted_arm import SUBSCRIPTION, Answer, ScriptedArm, connect
from verified_images.cloud.connection import CloudConnection, connect_azure
from verified_images.cloud.groups import create_group, group_exists
from verified_images.cloud.operations import Arm
from verified_images.cloud.transport import InterruptibleTransport
from verified_images.errors import AccessDeniedError, CloudError
from verified_images.ssh.reach import reach_directly
from verified_images.waiting import Budget, within

if TYPE_CHECKING:
    from verified_images.cloud.place import Place


class Credential:
    """A credential with a token of its own."""

    def __init__(self, token: str = "", error: Exception | None = None) -> None:
        self.token, self.error, self.closed = token, error, False

    def get_token(self, *_: str, **__: object) -> AccessToken:
        if self.error:
            raise self.error
        return AccessToken(self.token, 4_000_000_000)

    def close(self) -> None:
        self.closed = True


def connection(credential: Credential) -> CloudConnection:
    return CloudConnection("scripted", "https://arm.test", SUBSCRIPTION, credential, reach_directly)


def jwt(claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.signature"


def test_claims_are_read_from_the_token() -> None:
    claims = connection(Credential(jwt({"ipaddr": "203.0.113.7"}))).token_claims()
    assert claims["ipaddr"] == "203.0.113.7"


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "", jwt([1])])
def test_a_token_that_tells_nothing_has_no_claims(token: str) -> None:
    assert connection(Credential(token)).token_claims() == {}


def test_no_credential_is_access_denied() -> None:
    with pytest.raises(AccessDeniedError, match="az login"):
        connection(Credential(error=ClientAuthenticationError("Please run 'az login'."))).token_claims()


def test_importing_it_imports_no_sdk() -> None:
    code = (
        "import sys, verified_images.cloud.connection as c; "
        "assert not [m for m in sys.modules if m.startswith('azure')], sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_requests_tell_who_sends_them(arm: Arm, place: Place, scripted: ScriptedArm) -> None:
    create_group(arm, place.group, place.location, {})
    assert scripted.sent[0].headers["User-Agent"].startswith("verified-images")


def test_requests_are_not_logged(arm: Arm, place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        create_group(arm, place.group, place.location, {})
    assert not [record for record in caplog.records if record.name.startswith("azure")]


def test_bodies_are_never_logged(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    scripted = ScriptedArm()
    with caplog.at_level(logging.DEBUG):
        create_group(Arm(connect(scripted), print), place.group, place.location, {"secret": "hunter2"})
    assert scripted.sent[0].body["tags"] == {"secret": "hunter2"}
    assert "hunter2" not in caplog.text


def test_a_download_follows_no_login(scripted: ScriptedArm) -> None:
    scripted.script("GET", "/log$", Answer(200, b"hello"))
    connected = connect(scripted)
    assert connected.download("https://arm.test/log?sig=secret") == b"hello"
    assert "Authorization" not in scripted.sent[0].headers


def test_closing_ends_pauses_and_the_credential() -> None:
    credential = Credential()
    closed = connection(credential)
    transport = closed._shared_transport
    assert isinstance(transport, InterruptibleTransport)
    ended: list[Exception] = []

    def pause() -> None:
        try:
            transport.sleep(60)
        except ServiceRequestError as error:
            ended.append(error)

    thread = threading.Thread(target=pause)
    thread.start()
    closed.close()
    thread.join(10)
    assert ended
    assert credential.closed


class Hasty(InterruptibleTransport):
    """The ordinary transport, which hardly pauses before it tries again."""

    def sleep(self, duration: float) -> None:
        super().sleep(min(duration, 0.01))


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ("https://127.0.0.1:9", "127.0.0.1:9 could not be reached: Failed to establish a new connection: Connection"),
        ("https://no.such.host.invalid", "no.such.host.invalid:443 could not be reached: Failed to resolve"),
    ],
)
def test_a_network_that_is_gone_is_told_in_one_sentence(endpoint: str, told: str) -> None:
    hasty = Hasty(connection_verify=True, use_env_settings=False)
    lost = CloudConnection("azure", endpoint, SUBSCRIPTION, Credential("x"), reach_directly, transport=hasty)
    with hasty, pytest.raises(CloudError) as caught:
        group_exists(Arm(lost, print), "any")
    assert told in str(caught.value)
    assert str(caught.value).endswith("; look at the network and its proxy, then run again")
    assert "HTTPSConnection" not in str(caught.value)


@pytest.mark.parametrize(("left", "longest"), [(3600.0, 30.0), (5.0, 5.0)])
def test_a_network_that_is_gone_is_not_waited_for_longer_than_is_left(
    monkeypatch: pytest.MonkeyPatch, left: float, longest: float
) -> None:
    transport = InterruptibleTransport(connection_verify=True, use_env_settings=False)
    given: list[tuple[float, float]] = []

    def time_out(*_: object, timeout: tuple[float, float], **__: object) -> None:
        given.append(timeout)
        raise requests.exceptions.ConnectTimeout

    monkeypatch.setattr(transport.session, "request", time_out)
    with transport, within(Budget("cleanup", left)), pytest.raises(ServiceRequestError):
        transport.send(HttpRequest("GET", "https://arm.test/subscriptions"))
    assert given[0][0] == pytest.approx(longest, abs=1.0)
    assert given[0][1] == pytest.approx(min(left, 300.0), abs=1.0)


@pytest.mark.parametrize(
    ("cloud", "endpoint"),
    [
        ("public", "https://management.azure.com"),
        ("usgovernment", "https://management.usgovcloudapi.net"),
        ("china", "https://management.chinacloudapi.cn"),
    ],
)
def test_azure_is_one_of_three_clouds(cloud: str, endpoint: str) -> None:
    azure = connect_azure(SUBSCRIPTION, cloud=cloud)
    assert azure.endpoint == endpoint
    azure.close()
