from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientAssertionCredential

from tests.emulator.identity.entra import SCOPE, Entra, Signer
from verified_images.emulator import FederatedCredential, LocalCloud, NewApplication, Options, RoleOnScope

if TYPE_CHECKING:
    from pathlib import Path

ISSUER, SUBJECT = "https://token.actions.githubusercontent.com", "repo:team/images:ref:refs/heads/main"


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer.make()


def refusal(response: requests.Response) -> tuple[int, str, int]:
    body = response.json()
    assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
    assert {"timestamp", "trace_id", "correlation_id"} <= set(body)
    return response.status_code, body["error"], body["error_codes"][0]


class TestDiscovery:
    @pytest.mark.parametrize(("path", "endpoint"), [("v2.0/", "/oauth2/v2.0/token"), ("", "/oauth2/token")])
    def test_both_versions_name_their_endpoints(self, entra: Entra, path: str, endpoint: str) -> None:
        tenant = entra.cloud.account.tenant_id
        found = entra.get(f"{tenant}/{path}.well-known/openid-configuration").json()
        assert found["token_endpoint"] == f"{entra.cloud.endpoint}/{tenant}{endpoint}"
        assert tenant in found["issuer"]

    def test_tokens_are_signed_with_a_published_key(self, entra: Entra) -> None:
        token = entra.ask().json()["access_token"]
        found = entra.get(f"{entra.cloud.account.tenant_id}/discovery/v2.0/keys").json()
        key = next(key for key in found["keys"] if key["kid"] == jwt.get_unverified_header(token)["kid"])
        claims = jwt.decode(token, jwt.PyJWK(key).key, ["RS256"], audience="https://management.azure.com")
        assert claims["appid"] == entra.cloud.account.client_id

    def test_an_unknown_tenant_is_refused(self, entra: Entra) -> None:
        assert refusal(entra.get("none/v2.0/.well-known/openid-configuration")) == (400, "invalid_tenant", 90002)


class TestVersions:
    def test_the_second_version_tells_numbers(self, entra: Entra) -> None:
        answer = entra.ask().json()
        assert set(answer) == {"token_type", "expires_in", "ext_expires_in", "access_token"}
        assert answer["expires_in"] == 3599

    def test_the_first_version_tells_texts_and_the_resource(self, entra: Entra) -> None:
        answer = entra.ask("oauth2/token").json()
        assert (answer["expires_in"], answer["resource"]) == ("3599", "https://management.azure.com/")
        assert int(answer["expires_on"]) - int(answer["not_before"]) >= 3599
        assert entra.call(answer["access_token"]).status_code == 200

    def test_the_secret_may_come_in_a_header(self, entra: Entra) -> None:
        account = entra.cloud.account
        url = f"{entra.cloud.endpoint}/{account.tenant_id}/oauth2/v2.0/token"
        form = {"grant_type": "client_credentials", "scope": SCOPE}
        who = (account.client_id, account.client_secret)
        assert requests.post(url, form, auth=who, verify=str(entra.cloud.ca_bundle), timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_secret": ""}, (401, "invalid_client", 7000216)),
        ({"client_id": ""}, (400, "invalid_request", 900144)),
        ({"client_id": "nobody"}, (400, "unauthorized_client", 700016)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"grant_type": ""}, (400, "invalid_request", 900144)),
        ({"scope": ""}, (400, "invalid_request", 900144)),
        ({"scope": "https://management.azure.com/user"}, (400, "invalid_scope", 1002012)),
        ({"scope": "https://nowhere.example/.default"}, (400, "invalid_resource", 500011)),
        ({"tenant": "none"}, (400, "invalid_request", 90002)),
        ({"client_assertion": "junk"}, (400, "invalid_request", 900144)),
    ],
)
def test_a_refusal_is_in_the_words_of_entra(entra: Entra, form: dict[str, str], expected: tuple[int, str, int]) -> None:
    assert refusal(entra.ask(**form)) == expected


def test_a_token_for_another_service_of_azure_is_given_and_opens_nothing_here(entra: Entra) -> None:
    token = entra.ask(scope="https://vault.azure.net/.default").json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{entra.cloud.endpoint}/subscriptions?api-version=2022-12-01"
    answer = requests.get(url, headers=headers, verify=str(entra.cloud.ca_bundle), timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationTokenAudience")


def test_an_expired_secret_is_told_from_a_wrong_one(entra: Entra) -> None:
    application, secret = entra.cloud.add_application(NewApplication(name="old", secret_seconds=0))
    answer = entra.ask(client_id=application.client_id, client_secret=secret)
    assert refusal(answer) == (401, "invalid_client", 7000222)


class TestCertificates:
    def test_a_registered_certificate_logs_in_with_the_sdk(self, entra: Entra, signer: Signer) -> None:
        application, _ = entra.cloud.add_application(
            NewApplication(name="c", roles=(RoleOnScope(role="Reader"),), certificates=(signer.certificate_pem,))
        )
        with CertificateCredential(
            entra.cloud.account.tenant_id,
            application.client_id,
            certificate_data=signer.key_and_certificate,
            authority=entra.cloud.endpoint,
            disable_instance_discovery=True,
            connection_verify=str(entra.cloud.ca_bundle),
        ) as credential:
            assert entra.call(credential.get_token(SCOPE).token).status_code == 200

    def test_one_that_is_not_registered_is_refused(self, entra: Entra, signer: Signer) -> None:
        application, _ = entra.cloud.add_application(NewApplication(name="c", certificates=(signer.certificate_pem,)))
        mine = {"iss": application.client_id, "sub": application.client_id}
        audience = f"{entra.cloud.endpoint}/{entra.cloud.account.tenant_id}/oauth2/v2.0/token"

        def ask(by: Signer, **claims: Any) -> tuple[int, str, int]:  # noqa: ANN401 - JSON
            return refusal(
                entra.ask_by_assertion(application.client_id, by.sign(**{**mine, "aud": audience, **claims}))
            )

        assert ask(Signer.make()) == (401, "invalid_client", 700027)
        assert ask(signer, aud="https://elsewhere") == (401, "invalid_client", 700023)
        assert ask(signer, lifetime=-60) == (401, "invalid_client", 700024)
        assert ask(signer, sub="other") == (401, "invalid_client", 700021)


class TestWorkloadIdentity:
    @pytest.fixture
    def client(self, entra: Entra, signer: Signer) -> str:
        trusted = FederatedCredential(issuer=ISSUER, subject=SUBJECT, keys=signer.key_set)
        wanted = NewApplication(name="ci", roles=(RoleOnScope(role="Reader"),), federated=(trusted,))
        return entra.cloud.add_application(wanted)[0].client_id

    def test_an_assertion_of_a_trusted_issuer_logs_in(self, entra: Entra, signer: Signer, client: str) -> None:
        assertion = signer.sign(iss=ISSUER, sub=SUBJECT, aud="api://AzureADTokenExchange")
        with ClientAssertionCredential(
            entra.cloud.account.tenant_id,
            client,
            lambda: assertion,
            authority=entra.cloud.endpoint,
            disable_instance_discovery=True,
            connection_verify=str(entra.cloud.ca_bundle),
        ) as credential:
            assert entra.call(credential.get_token(SCOPE).token).status_code == 200

    @pytest.mark.parametrize(
        ("claims", "number"),
        [({"iss": "https://other"}, 700211), ({"sub": "repo:other"}, 700213), ({"aud": "api://other"}, 700212)],
    )
    def test_any_other_is_refused(
        self, entra: Entra, signer: Signer, client: str, claims: dict[str, str], number: int
    ) -> None:
        given: dict[str, Any] = {"iss": ISSUER, "sub": SUBJECT, "aud": "api://AzureADTokenExchange", **claims}
        assert refusal(entra.ask_by_assertion(client, signer.sign(**given)))[2] == number

    def test_the_issuers_key_must_have_signed_it(self, entra: Entra, client: str) -> None:
        assertion = Signer.make().sign(iss=ISSUER, sub=SUBJECT, aud="api://AzureADTokenExchange")
        assert refusal(entra.ask_by_assertion(client, assertion)) == (401, "invalid_client", 700027)

    def test_keys_are_fetched_where_the_issuer_says(self, entra: Entra, signer: Signer) -> None:
        nowhere = FederatedCredential(issuer="http://127.0.0.1:9", subject=SUBJECT)
        client = entra.cloud.add_application(NewApplication(name="ci", federated=(nowhere,)))[0].client_id
        assertion = signer.sign(iss="http://127.0.0.1:9", sub=SUBJECT, aud="api://AzureADTokenExchange")
        assert refusal(entra.ask_by_assertion(client, assertion)) == (400, "invalid_request", 50166)


class TestRoles:
    def token(self, entra: Entra, *roles: RoleOnScope) -> tuple[str, str]:
        application, secret = entra.cloud.add_application(NewApplication(name="x", roles=roles))
        answer = entra.ask(client_id=application.client_id, client_secret=secret)
        return answer.json()["access_token"], application.client_id

    def test_a_caller_without_a_role_is_refused_by_name(self, entra: Entra) -> None:
        token, client = self.token(entra)
        answer = entra.call(token, "/resourceGroups/g")
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (403, "AuthorizationFailed")
        assert error["message"].startswith(f"The client '{client}' with object id '")
        assert "'Microsoft.Resources/subscriptions/resourceGroups/read' over scope '/subscriptions/" in error["message"]
        assert entra.call(token).json()["value"] == []

    def test_a_reader_reads_and_a_contributor_writes_but_gives_no_roles(self, entra: Entra) -> None:
        body = {"location": "westeurope"}
        reader, _ = self.token(entra, RoleOnScope(role="Reader"))
        assert entra.call(reader, "/resourceGroups/g", "PUT", body).status_code == 403
        writer, _ = self.token(entra, RoleOnScope(role="Contributor"))
        assert entra.call(writer, "/resourceGroups/g", "PUT", body).status_code == 201
        assert entra.call(reader, "/resourceGroups/g").status_code == 200
        path = "/providers/Microsoft.Authorization/roleAssignments/88888888-0000-0000-0000-000000000001"
        assert entra.call(writer, path, "PUT", {"properties": {}}).status_code == 403
        assert entra.call(writer, "/resourceGroups/g", "DELETE").status_code == 202

    def test_a_role_holds_on_its_scope_alone(self, entra: Entra) -> None:
        group = f"/subscriptions/{entra.cloud.account.subscription_id}/resourceGroups/mine"
        token, _ = self.token(entra, RoleOnScope(role="Contributor", scope=group))
        assert entra.call(token, "/resourceGroups/mine", "PUT", {"location": "westeurope"}).status_code == 201
        assert entra.call(token, "/resourceGroups/other", "PUT", {"location": "westeurope"}).status_code == 403
        assert [each["name"] for each in entra.call(token).json()["value"]] == ["mine"]
        assert entra.call(token, "/resourceGroups/mine", "DELETE").status_code == 202


class TestApplicationsOverHttp:
    def call(self, entra: Entra, method: str, path: str = "", body: Any = None) -> requests.Response:  # noqa: ANN401
        headers = {"Authorization": f"Bearer {entra.ask().json()['access_token']}"}
        url = f"{entra.cloud.endpoint}/local/applications{path}"
        return requests.request(method, url, headers=headers, json=body, verify=str(entra.cloud.ca_bundle), timeout=10)

    def test_one_is_made_used_and_removed(self, entra: Entra, signer: Signer) -> None:
        body = {"name": "ci", "roles": [{"role": "Reader"}], "certificates": [signer.certificate_pem]}
        made = self.call(entra, "POST", "", body).json()
        assert entra.ask(client_id=made["client_id"], client_secret=made["client_secret"]).status_code == 200
        listed = self.call(entra, "GET")
        assert made["client_id"] in listed.text
        assert made["client_secret"] not in listed.text
        assert self.call(entra, "DELETE", f"/{made['client_id']}").status_code == 204
        assert self.call(entra, "DELETE", f"/{made['client_id']}").status_code == 404
        assert refusal(entra.ask(client_id=made["client_id"], client_secret=made["client_secret"]))[2] == 700016

    @pytest.mark.parametrize(
        "body",
        [{}, {"name": "x", "secrets": []}, {"name": "x", "certificates": ["none"]}, {"name": "x", "roles": [{}]}],
    )
    def test_a_bad_one_is_refused(self, entra: Entra, body: object) -> None:
        answer = self.call(entra, "POST", "", body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidApplication")


def test_tokens_and_applications_survive_a_restart(tmp_path: Path, image_cache: Path) -> None:
    options = Options(hypervisor="fake", cache=image_cache, token_lifetime=7200)
    with LocalCloud(tmp_path, options) as cloud:
        entra = Entra(cloud)
        answer = entra.ask().json()
        application, secret = cloud.add_application(NewApplication(name="x"))
        assert (answer["expires_in"], answer["refresh_in"]) == (7200, 3600)
    with LocalCloud(tmp_path, options) as cloud:
        entra = Entra(cloud)
        assert entra.call(answer["access_token"]).status_code == 200
        assert entra.ask(client_id=application.client_id, client_secret=secret).status_code == 200
        assert secret not in json.dumps(list(cloud.cloud.records.select("applications")))


def test_an_sdk_credential_says_what_entra_says(entra: Entra, signer: Signer) -> None:
    with (
        CertificateCredential(
            entra.cloud.account.tenant_id,
            entra.cloud.account.client_id,
            certificate_data=signer.key_and_certificate,
            authority=entra.cloud.endpoint,
            disable_instance_discovery=True,
            connection_verify=str(entra.cloud.ca_bundle),
        ) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS700027"),
    ):
        credential.get_token(SCOPE)
