"""Which Azure a run speaks to, as a value: made here and nowhere else.

The local Azure is one more endpoint with a certificate authority and a way to reach its machines; everything
else is the same code. The SDK is imported when its first client is asked for.
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import threading
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verified_images.cloud.credentials import RenewableCredential, find_credential
from verified_images.cloud.errors import translated
from verified_images.ssh.reach import SocksReach, reach_directly

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.core import PipelineClient
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import HttpTransport
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.network import NetworkManagementClient
    from azure.mgmt.resource.resources import ResourceManagementClient

    from verified_images.ssh.reach import Reach

ENDPOINTS = {
    "public": "https://management.azure.com",
    "usgovernment": "https://management.usgovcloudapi.net",
    "china": "https://management.chinacloudapi.cn",
}
"""Azure Resource Manager's endpoint of each cloud (Azure: "Azure Government and China endpoints")."""

AUTHORITIES = {
    "public": "https://login.microsoftonline.com",
    "usgovernment": "https://login.microsoftonline.us",
    "china": "https://login.chinacloudapi.cn",
}
"""Where each cloud's credentials are checked."""

# Azure sends Retry-After where it wants to be asked more slowly; where it does not, the SDK's 30 s is long.
_AZURE_POLLING_SECONDS = 5.0
_LOCAL_POLLING_SECONDS = 0.05

# An answer that is no JSON, such as a proxy's page, becomes an error, and the SDK logs a traceback besides.
for _client in ("compute", "network", "resource.resources"):
    logging.getLogger(f"azure.mgmt.{_client}._utils.model_base").setLevel(logging.ERROR)


@dataclass(frozen=True, eq=False)
class CloudConnection:
    """One subscription of one Azure, and how to reach the machines in it. Its owner closes it.

    ``name`` is "azure" or "local" and for display only. ``polling_interval`` is the pause in seconds between two
    looks at a long-running operation where Azure Resource Manager does not ask for another; ``looks`` tells
    whether resources themselves are looked at in longer pauses.
    """

    name: str
    endpoint: str
    subscription_id: str
    credential: TokenCredential = field(repr=False)
    reach: Reach
    ca_bundle: Path | None = None
    polling_interval: float = _AZURE_POLLING_SECONDS
    transport: HttpTransport[Any, Any] | None = field(default=None, repr=False)
    looks: bool = True
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)
    _compute: dict[str, ComputeManagementClient] = field(default_factory=dict, init=False, repr=False)
    _opened: list[Any] = field(default_factory=list, init=False, repr=False)

    @property
    def compute(self) -> ComputeManagementClient:
        """The SDK's client of Microsoft.Compute."""
        return self.compute_of(self.subscription_id)

    @cached_property
    def network(self) -> NetworkManagementClient:
        """The SDK's client of Microsoft.Network."""
        from azure.mgmt.network import NetworkManagementClient  # noqa: PLC0415 - 0.3 s and 44 MiB to import

        return NetworkManagementClient(self.credential, self.subscription_id, **self._client_options)

    @cached_property
    def resources(self) -> ResourceManagementClient:
        """The SDK's client of Microsoft.Resources."""
        from azure.mgmt.resource.resources import ResourceManagementClient  # noqa: PLC0415 - slow to import

        return ResourceManagementClient(self.credential, self.subscription_id, **self._client_options)

    def compute_of(self, subscription_id: str | None) -> ComputeManagementClient:
        """Return a client of Microsoft.Compute in another subscription, with the same credential."""
        from azure.mgmt.compute import ComputeManagementClient  # noqa: PLC0415 - 0.2 s and 30 MiB to import

        wanted = subscription_id or self.subscription_id
        with self._lock:
            if wanted not in self._compute:
                self._compute[wanted] = ComputeManagementClient(self.credential, wanted, **self._client_options)
            return self._compute[wanted]

    def token_claims(self) -> Mapping[str, Any]:
        """Ask for a token and return what it claims; nothing is verified, since only ARM can.

        Raises:
            AccessDeniedError: there is no working credential.
        """
        with translated("get a token for", self.endpoint):
            token = self.credential.get_token(f"{self.endpoint}/.default").token
        try:
            payload = token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (IndexError, ValueError):
            return {}  # an opaque token: managed identities in some clouds
        return claims if isinstance(claims, dict) else {}

    def download(self, url: str) -> bytes:
        """GET a URL that carries its own permission, such as a boot diagnostics log's."""
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - with the SDK

        with translated("download", url.partition("?")[0]):
            response = self.pipeline().send_request(HttpRequest("GET", url))
            response.raise_for_status()
            content: bytes = response.read()
        return content

    def pipeline(self, *policies: Any) -> PipelineClient[Any, Any]:  # noqa: ANN401 - either kind of the SDK's policies
        """Return a client of what the SDK has none for; ``policies`` see each try of a request, as signing has to."""
        from azure.core import PipelineClient  # noqa: PLC0415 - with the SDK
        from azure.core.pipeline.policies import UserAgentPolicy  # noqa: PLC0415 - with the SDK

        from verified_images.cloud.retrying import PatientRetryPolicy  # noqa: PLC0415 - with the SDK

        own = [UserAgentPolicy(user_agent=_user_agent()), PatientRetryPolicy(), *policies]
        return PipelineClient("", policies=own, transport=self._shared_transport)

    def close(self) -> None:
        """Close the network connections; operations that are still waited for end with an error."""
        with self._lock:
            opened, self._opened[:] = list(self._opened), []
        for resource in (*opened, self.credential):
            if callable(close := getattr(resource, "close", None)):
                close()

    @property
    def _client_options(self) -> dict[str, Any]:
        from azure.core.pipeline.policies import SansIOHTTPPolicy  # noqa: PLC0415 - with the SDK

        from verified_images.cloud.renewing import RenewingAuthenticationPolicy  # noqa: PLC0415 - with the SDK
        from verified_images.cloud.retrying import PatientRetryPolicy  # noqa: PLC0415 - with the SDK

        scope = f"{self.endpoint}/.default"
        options: dict[str, Any] = {
            "base_url": self.endpoint,
            "credential_scopes": [scope],
            "authentication_policy": RenewingAuthenticationPolicy(self.credential, scope),
            "polling_interval": self.polling_interval,
            "retry_policy": PatientRetryPolicy(),
            "transport": self._shared_transport,
            "user_agent": _user_agent(),
        }
        # The SDK tells of each request at INFO, several lines each; that is evidence, not a story.
        if not logging.getLogger("azure").isEnabledFor(logging.DEBUG):
            options["http_logging_policy"] = SansIOHTTPPolicy()
        return options

    @property
    def _shared_transport(self) -> HttpTransport[Any, Any]:
        if self.transport is not None:
            return self.transport
        with self._lock:
            if not self._opened:
                from verified_images.cloud.transport import InterruptibleTransport  # noqa: PLC0415 - with the SDK

                transport = InterruptibleTransport(
                    connection_verify=str(self.ca_bundle) if self.ca_bundle else True,
                    # A proxy meant for the internet is not meant for 127.0.0.1.
                    use_env_settings=self.ca_bundle is None,
                    polling_interval=self.polling_interval,
                )
                transport.open()
                self._opened.append(transport)
            return self._opened[0]  # type: ignore[no-any-return]


def connect_azure(subscription_id: str, *, cloud: str = "public", reach: Reach = reach_directly) -> CloudConnection:
    """Return a connection to Azure itself: ``cloud`` is "public", "usgovernment" or "china".

    The credential is what ``find_credential`` finds; it lasts as long as the run does.
    """
    return CloudConnection(
        name="azure",
        endpoint=ENDPOINTS[cloud],
        subscription_id=subscription_id,
        credential=RenewableCredential(functools.partial(find_credential, AUTHORITIES[cloud])),
        reach=reach,
    )


def connect_local(  # noqa: PLR0913 - what a local Azure tells of itself
    endpoint: str,
    *,
    ca_bundle: Path | str,
    tenant_id: str,
    client_id: str,
    client_secret: str,
    subscription_id: str,
    proxy: str,
) -> CloudConnection:
    """Return a connection to a local Azure; ``proxy`` is the SOCKS address of the gateway to its machines."""
    from azure.identity import ClientSecretCredential  # noqa: PLC0415 - 0.2 s and 33 MiB to import

    make = functools.partial(
        ClientSecretCredential,
        tenant_id,
        client_id,
        client_secret,
        authority=endpoint,
        disable_instance_discovery=True,
        connection_verify=str(ca_bundle),
        use_env_settings=False,
    )
    return CloudConnection(
        name="local",
        endpoint=endpoint,
        subscription_id=subscription_id,
        credential=RenewableCredential(make),
        reach=SocksReach(proxy),
        ca_bundle=Path(ca_bundle),
        polling_interval=_LOCAL_POLLING_SECONDS,
    )


def _user_agent() -> str:
    try:
        return f"verified-images/{version('verified-images')}"
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "verified-images"
