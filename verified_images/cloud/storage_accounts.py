"""Storage accounts: where their blobs are, and what lets us write there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verified_images.cloud.ids import parse_id

if TYPE_CHECKING:
    from azure.core.pipeline.policies import HTTPPolicy, SansIOHTTPPolicy

    from verified_images.cloud.operations import Arm, Body

_API_VERSION = "2023-05-01"
_DATA_SCOPE = "https://storage.azure.com/.default"
_WITHOUT_PAGE_BLOBS = frozenset({"BlobStorage", "BlockBlobStorage", "FileStorage"})


@dataclass(frozen=True, slots=True)
class StorageAccount:
    """A storage account: ``location`` such as westeurope, ``endpoint`` the URL of its blobs, with a slash at its end.

    ``takes_page_blobs`` tells whether VHDs can be kept in it, ``takes_keys`` whether its keys let anybody in.
    """

    id: str
    location: str
    endpoint: str
    takes_page_blobs: bool
    takes_keys: bool

    @property
    def name(self) -> str:
        """The account's name."""
        return parse_id(self.id).name


def find_account(arm: Arm, account_id: str) -> StorageAccount | None:
    """Return a storage account, or None where there is none of that id."""
    resources = arm.connection.resources.resources
    name = parse_id(account_id).name
    found: Any = arm.find(
        "get storage account", name, lambda: resources.get_by_id(account_id, api_version=_API_VERSION)
    )
    if found is None:
        return None
    properties = found.get("properties") or {}
    endpoint = (properties.get("primaryEndpoints") or {}).get("blob")
    has_folders = bool(properties.get("isHnsEnabled"))
    return StorageAccount(
        account_id,
        str(found["location"]).replace(" ", "").lower(),
        str(endpoint or ""),
        takes_page_blobs=bool(endpoint) and found.get("kind") not in _WITHOUT_PAGE_BLOBS and not has_folders,
        takes_keys=properties.get("allowSharedKeyAccess") is not False,
    )


def create_account(arm: Arm, account_id: str, location: str) -> None:
    """Make a storage account of the usual kind."""
    resources = arm.connection.resources.resources
    body: Body = {"location": location, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
    arm.run(
        "create storage account",
        parse_id(account_id).name,
        lambda: resources.begin_create_or_update_by_id(account_id, api_version=_API_VERSION, parameters=body),
    )


def authorization(arm: Arm, account: StorageAccount) -> HTTPPolicy[Any, Any] | SansIOHTTPPolicy[Any, Any]:
    """Return what lets requests in: a key of the account, which contributors may list, else roles on its data.

    Raises:
        CloudError: ARM refused to tell the keys.
    """
    from verified_images.cloud.renewing import RenewingAuthenticationPolicy  # noqa: PLC0415 - with the SDK
    from verified_images.cloud.shared_key import SharedKeyPolicy  # noqa: PLC0415 - with the SDK

    if not account.takes_keys:
        return RenewingAuthenticationPolicy(arm.connection.credential, _DATA_SCOPE)
    return SharedKeyPolicy(account.name, _first_key(arm, account))


def _first_key(arm: Arm, account: StorageAccount) -> str:
    from azure.core.rest import HttpRequest  # noqa: PLC0415 - with the SDK

    from verified_images.cloud.renewing import RenewingAuthenticationPolicy  # noqa: PLC0415 - with the SDK

    connection = arm.connection
    policy = RenewingAuthenticationPolicy(connection.credential, f"{connection.endpoint}/.default")
    url = f"{connection.endpoint}{account.id}/listKeys?api-version={_API_VERSION}"

    def ask() -> str:
        response = connection.pipeline(policy).send_request(HttpRequest("POST", url))
        response.read()
        response.raise_for_status()
        return str(response.json()["keys"][0]["value"])

    return arm.call("list keys of storage account", account.name, ask)
