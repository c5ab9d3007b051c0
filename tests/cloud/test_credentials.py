"""Credentials last as long as the run: with assertions good for seconds, and tokens not much longer."""

from __future__ import annotations

import functools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from azure.core.credentials import AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, DefaultAzureCredential

from tests.emulator.identity.entra import SCOPE, Entra, Signer
from tests.local_azure import BUILDER, everything, make_targets, make_template, opened_build
from verified_images.cloud.connection import CloudConnection, connect_local
from verified_images.cloud.credentials import RenewableCredential, ask_github, find_credential
from verified_images.cloud.groups import group_exists
from verified_images.cloud.operations import Arm
from verified_images.emulator import FederatedCredential, LocalCloud, NewApplication, Options, RoleOnScope
from verified_images.errors import AccessDeniedError
from verified_images.reports.verdict import Verdict
from verified_images.ssh.reach import SocksReach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from verified_images.cloud.credentials import Credential

ISSUER, SUBJECT, AUDIENCE = "https://ci.example", "repo:team/images:ref:refs/heads/main", "api://AzureADTokenExchange"
TOKEN_SECONDS = 4
GRACE = 5  # seconds by which Entra lets clocks differ


@dataclass
class Platform:
    """A CI platform that says who a job is, in assertions that are good for two seconds."""

    signer: Signer
    application: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""

    def sign(self, lifetime: int = 2) -> str:
        return self.signer.sign(lifetime=lifetime - GRACE, iss=ISSUER, sub=SUBJECT, aud=AUDIENCE)

    def answer(self, method: str, path: str, authorization: str) -> tuple[int, dict[str, str]]:
        self.asked.append((method, path, authorization))
        if "refused" in path:
            return 403, {"message": "no permission id-token: write"}
        return 200, {"value": self.sign(), "oidcToken": self.sign()}


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    found = Platform(Signer.make())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = found.answer(self.command, self.path, self.headers["Authorization"])
            content = json.dumps(body).encode()
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: object) -> None:
            """Tell nobody."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, platform: Platform) -> Iterator[LocalCloud]:
    """A local Azure whose tokens are good for four seconds."""
    folder = tmp_path_factory.mktemp("azure")
    options = Options(hypervisor="fake", cache=folder / "cache", token_lifetime=TOKEN_SECONDS)
    with LocalCloud(folder / "state", options) as cloud:
        trusted = FederatedCredential(issuer=ISSUER, subject=SUBJECT, keys=platform.signer.key_set)
        role = RoleOnScope(role="Contributor", scope=f"/subscriptions/{cloud.account.subscription_id}")
        application, _ = cloud.add_application(NewApplication(name="ci", federated=(trusted,), roles=(role,)))
        platform.application = application.client_id
        connection = connect_local(**cloud.access)
        make_targets(connection)
        connection.close()
        yield cloud


def connect_as(cloud: LocalCloud, make: Callable[[], Credential]) -> CloudConnection:
    """Connect with another credential."""
    subscription, reach = cloud.account.subscription_id, SocksReach(cloud.proxy)
    return CloudConnection(
        "local", cloud.endpoint, subscription, RenewableCredential(make), reach, cloud.ca_bundle, polling_interval=0.05
    )


def github(cloud: LocalCloud, platform: Platform) -> dict[str, str]:
    return {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{platform.url}/github?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-job",
        "AZURE_CLIENT_ID": platform.application,
        "AZURE_TENANT_ID": cloud.account.tenant_id,
    }


def pipelines(cloud: LocalCloud, platform: Platform) -> dict[str, str]:
    return {
        "SYSTEM_OIDCREQUESTURI": f"{platform.url}/pipelines",
        "SYSTEM_ACCESSTOKEN": "of-the-job",
        "AZURESUBSCRIPTION_CLIENT_ID": platform.application,
        "AZURESUBSCRIPTION_TENANT_ID": cloud.account.tenant_id,
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "c0ffee",
    }


def credential_of(cloud: LocalCloud, environment: dict[str, str]) -> Credential:
    verify = str(cloud.ca_bundle)
    return find_credential(
        cloud.endpoint, environment, disable_instance_discovery=True, connection_verify=verify, use_env_settings=False
    )


Job: TypeAlias = "tuple[Callable[[LocalCloud, Platform], dict[str, str]], tuple[str, str, str]]"
JOBS: list[Job] = [
    (github, ("GET", "/github?audience=api://AzureADTokenExchange&api-version=2.0", "bearer of-the-job")),
    (pipelines, ("POST", "/pipelines?api-version=7.1&serviceConnectionId=c0ffee", "Bearer of-the-job")),
]


@pytest.mark.parametrize("job", JOBS)
def test_a_build_outlives_its_tokens_and_assertions_up_to_its_clean_up(
    cloud: LocalCloud, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: Job
) -> None:
    describe, asked = job
    environment = describe(cloud, platform)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)  # AzurePipelinesCredential reads its address by itself
    connection = connect_as(cloud, functools.partial(credential_of, cloud, environment))
    # Longer than a token and its assertion last together.
    work = ({"shell": {"inline": [f"sleep {TOKEN_SECONDS + 3}"]}},)
    before = everything(connection)
    template = make_template(tmp_path, builder=BUILDER, provisioners=work, smoke={"instances": 1})
    platform.asked.clear()
    with opened_build(connection, template, tmp_path) as build:
        captured = build.capture(build.provision(build.preflight()), Verdict(passed=True, tests=1))
        assert captured.gallery_version
        before_cleanup = len(platform.asked)
        # What the job has proved itself with is worth nothing any more when clean-up begins.
        wait_until_refused(cloud, connection.credential.get_token(SCOPE).token)
    assert everything(connection) == before
    connection.close()
    assert 1 <= before_cleanup < len(platform.asked)
    sent = {(method, path.replace("%3A", ":").replace("%2F", "/"), who) for method, path, who in platform.asked}
    assert sent == {asked}


def test_the_file_of_an_assertion_is_read_each_time(cloud: LocalCloud, platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(platform.sign(lifetime=-60))
    environment = {
        "AZURE_FEDERATED_TOKEN_FILE": str(file),
        "AZURE_CLIENT_ID": platform.application,
        "AZURE_TENANT_ID": cloud.account.tenant_id,
    }
    credential = credential_of(cloud, environment)
    with pytest.raises(ClientAuthenticationError, match="AADSTS700024"):
        credential.get_token(SCOPE)
    file.write_text(platform.sign(lifetime=60))
    assert credential.get_token(SCOPE).token.count(".") == 2
    credential.close()


@pytest.mark.parametrize("name", ["AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_TOKEN_CREDENTIALS"])
def test_what_the_user_has_chosen_comes_first(
    cloud: LocalCloud, platform: Platform, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_TOKEN_CREDENTIALS", raising=False)
    environment = github(cloud, platform) | pipelines(cloud, platform) | {name: "x"}
    credential = find_credential(cloud.endpoint, environment)
    assert isinstance(credential, DefaultAzureCredential)
    credential.close()
    other = find_credential(cloud.endpoint, {})
    assert isinstance(other, DefaultAzureCredential)
    other.close()


def test_a_platform_that_refuses_is_told_of(platform: Platform) -> None:
    with pytest.raises(ClientAuthenticationError, match="GitHub gave the job no ID token, but 403"):
        ask_github(f"{platform.url}/refused", "of-the-job")


class Late:
    """A credential that takes its tokens for good long after they have expired, as with a clock that goes wrong."""

    made = 0

    def __init__(self, cloud: LocalCloud, token: str = "") -> None:
        Late.made += 1
        account = cloud.account
        self.inner = ClientSecretCredential(
            account.tenant_id,
            account.client_id,
            account.client_secret,
            authority=cloud.endpoint,
            disable_instance_discovery=True,
            connection_verify=str(cloud.ca_bundle),
            use_env_settings=False,
        )
        self.token = token

    def get_token(self, *scopes: str, **options: Any) -> Any:  # noqa: ANN401 - azure-identity's
        return self.get_token_info(*scopes, **options)

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:  # noqa: ANN401 - azure-identity's
        self.token = self.token or self.inner.get_token_info(*scopes, options=options).token
        return AccessTokenInfo(self.token, int(time.time()) + 3600)

    def close(self) -> None:
        self.inner.close()


def wait_until_refused(cloud: LocalCloud, token: str) -> None:
    deadline = time.monotonic() + 60
    while Entra(cloud).call(token).status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_a_token_that_is_not_taken_any_more_is_replaced_once_for_all_who_have_it(cloud: LocalCloud) -> None:
    Late.made = 0
    connection = connect_as(cloud, functools.partial(Late, cloud))
    arm = Arm(connection, lambda _: None)
    assert group_exists(arm, "images")
    wait_until_refused(cloud, connection.credential.get_token(SCOPE).token)
    clients = [connection.compute_of(f"0000000{number}-0000-0000-0000-000000000000") for number in range(4)]
    assert len({id(client) for client in clients}) == 4
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: group_exists(arm, "images"), range(8)))
    assert Late.made == 2
    connection.close()


def test_a_new_token_that_is_not_taken_either_is_an_error(cloud: LocalCloud) -> None:
    Late.made = 0
    connection = connect_as(cloud, functools.partial(Late, cloud, "not.a.token"))
    with pytest.raises(AccessDeniedError, match="InvalidAuthenticationToken"):
        group_exists(Arm(connection, lambda _: None), "images")
    assert Late.made == 2
    connection.close()
