"""Who a run is in front of Azure, for as long as the run lasts: what expires in the middle is asked for anew.

The credentials are azure-identity's. In CI an identity is proven by an assertion, which is good for some minutes only:
it is asked for again each time that an access token is. Sources: GitHub, "Configuring OpenID Connect in Azure";
Azure DevOps, "Access Microsoft Entra protected resources" (AzurePipelinesCredential); Microsoft Entra Workload ID,
"Workload identity federation".
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

AUDIENCE = "api://AzureADTokenExchange"
"""What an assertion of GitHub's is for, as Entra's federated credentials expect it."""

_GITHUB = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "AZURE_CLIENT_ID", "AZURE_TENANT_ID")
_PIPELINES = (
    "SYSTEM_OIDCREQUESTURI",
    "SYSTEM_ACCESSTOKEN",
    "AZURESUBSCRIPTION_CLIENT_ID",
    "AZURESUBSCRIPTION_TENANT_ID",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
)
_FILE = ("AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_ID", "AZURE_TENANT_ID")
# Whoever sets one of these wants it to be used, and DefaultAzureCredential does.
_CHOSEN = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_TOKEN_CREDENTIALS")


class Credential(Protocol):
    """What azure-identity's credentials have in common."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - azure-identity's
        """Return a token, from the credential's cache as long as it is good."""

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token with more facts."""

    def close(self) -> None:
        """Close the connections to the token service."""


class RenewableCredential:
    """A credential that can be told that its token is not taken any more, whatever its cache says.

    ``make`` gives a credential with an empty cache. Any thread may use it.
    """

    def __init__(self, make: Callable[[], Credential]) -> None:
        self._make = make
        self._made = [make()]
        self._given = ""
        self._lock = threading.Lock()

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - azure-identity's
        """Return a token, as azure-identity's credentials do."""
        token = self._made[-1].get_token(*scopes, **options)
        self._given = token.token
        return token

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token with more facts, as azure-identity's credentials do."""
        token = self._made[-1].get_token_info(*scopes, options=options)
        self._given = token.token
        return token

    def renew(self, refused: str) -> None:
        """Let the next token be a new one, unless another than the ``refused`` one was given meanwhile."""
        with self._lock:
            if self._given in {refused, ""}:
                # The one before may still be in use by another thread: it is closed with the others.
                self._made.append(self._make())
                self._given = "-"

    def close(self) -> None:
        """Close the connections to the token service."""
        for credential in self._made:
            credential.close()


def find_credential(
    authority: str,
    environment: Mapping[str, str] | None = None,
    **options: Any,  # noqa: ANN401 - azure-identity's
) -> Credential:
    """Return the credential of whoever runs this, by the process's ``environment``.

    In jobs of GitHub Actions and Azure Pipelines, and where AZURE_FEDERATED_TOKEN_FILE is set, it is that of the
    workload, unless a secret, a certificate or AZURE_TOKEN_CREDENTIALS is set; else DefaultAzureCredential:
    environment, managed identity, az login and what else it finds, in its order. ``authority`` is where the credential
    is checked; ``options`` go to azure-identity.
    """
    import azure.identity  # noqa: PLC0415 - 0.2 s and 33 MiB to import

    known = os.environ if environment is None else environment
    chosen = any(known.get(name) for name in _CHOSEN)
    if (given := _all_of(_PIPELINES, known)) and not chosen:
        return azure.identity.AzurePipelinesCredential(
            tenant_id=given["AZURESUBSCRIPTION_TENANT_ID"],
            client_id=given["AZURESUBSCRIPTION_CLIENT_ID"],
            service_connection_id=given["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"],
            system_access_token=given["SYSTEM_ACCESSTOKEN"],
            authority=authority,
            **options,
        )
    assertion: Callable[[], str] | None = None
    if file := _all_of(_FILE, known):
        # WorkloadIdentityCredential keeps what it has read for ten minutes; some assertions are good for five.
        assertion = Path(file["AZURE_FEDERATED_TOKEN_FILE"]).read_text
    elif job := _all_of(_GITHUB, known):
        url, token = job["ACTIONS_ID_TOKEN_REQUEST_URL"], job["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]

        def assertion() -> str:
            return ask_github(url, token)

    if assertion is None or chosen:
        return azure.identity.DefaultAzureCredential(authority=authority, **options)
    tenant, client = known["AZURE_TENANT_ID"], known["AZURE_CLIENT_ID"]
    return azure.identity.ClientAssertionCredential(tenant, client, assertion, authority=authority, **options)


def ask_github(url: str, token: str) -> str:
    """Return a new assertion of who the job is; ``url`` and ``token`` are those that GitHub gives to the job.

    Raises:
        azure.core.exceptions.AzureError: GitHub gave none.
    """
    from azure.core import PipelineClient  # noqa: PLC0415 - with the SDK
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - with the SDK
    from azure.core.pipeline.policies import RetryPolicy  # noqa: PLC0415 - with the SDK
    from azure.core.rest import HttpRequest  # noqa: PLC0415 - with the SDK

    request = HttpRequest("GET", url, params={"audience": AUDIENCE}, headers={"Authorization": f"bearer {token}"})
    client: PipelineClient[Any, Any] = PipelineClient("", policies=[RetryPolicy()])
    with client:
        response = client.send_request(request)
        try:
            return str(response.json()["value"])
        except (ValueError, KeyError, TypeError) as error:
            raise ClientAuthenticationError(
                f"GitHub gave the job no ID token, but {response.status_code} {response.reason}"
            ) from error


def _all_of(names: tuple[str, ...], environment: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return the variables if all of them are set."""
    found = {name: environment.get(name, "") for name in names}
    return found if all(found.values()) else None
