"""The real Azure SDK, pointed at a local Azure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

if TYPE_CHECKING:
    from verified_images.emulator import LocalCloud


@dataclass
class Clients:
    """SDK clients of one local Azure, logged in as its application."""

    cloud: LocalCloud
    secret: str = ""

    @cached_property
    def credential(self) -> ClientSecretCredential:
        account = self.cloud.account
        return ClientSecretCredential(
            account.tenant_id,
            account.client_id,
            self.secret or account.client_secret,
            authority=self.cloud.endpoint,
            disable_instance_discovery=True,
            connection_verify=str(self.cloud.ca_bundle),
        )

    def _options(self) -> dict[str, Any]:
        return {
            "base_url": self.cloud.endpoint,
            "credential_scopes": [f"{self.cloud.endpoint}/.default"],
            "connection_verify": str(self.cloud.ca_bundle),
            "polling_interval": 0.02,
        }

    @cached_property
    def resources(self) -> ResourceManagementClient:
        return ResourceManagementClient(self.credential, self.cloud.account.subscription_id, **self._options())

    @cached_property
    def network(self) -> NetworkManagementClient:
        return NetworkManagementClient(self.credential, self.cloud.account.subscription_id, **self._options())

    @cached_property
    def compute(self) -> ComputeManagementClient:
        return ComputeManagementClient(self.credential, self.cloud.account.subscription_id, **self._options())

    def close(self) -> None:
        for name in ("resources", "network", "compute", "credential"):
            if name in self.__dict__:
                getattr(self, name).close()
