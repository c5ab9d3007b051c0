"""Who may make a call of the blob service: who has a key, a signature of one, or a role on the data.

Source: Azure Storage, "Authorize requests to Azure Storage" and "Authorize with Microsoft Entra ID".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.authorization.permissions import is_permitted, is_permitted_on_data
from verified_images.emulator.azure_hosts import BLOB_SUFFIX, login_url
from verified_images.emulator.identity.tokens import STORAGE, read_token
from verified_images.emulator.storage.shared_access import check_access
from verified_images.emulator.storage.shared_key import SCHEME, check_shared_key
from verified_images.emulator.storage.storage_errors import StorageError, permission_mismatch

if TYPE_CHECKING:
    from verified_images.emulator.actions import Action
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.storage.blob_names import BlobName
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request

_SERVER_FAILED = (
    "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."
)


def check_caller(
    cloud: Cloud, request: Request, on: tuple[Resource, BlobName], needed: tuple[str, str], action: Action
) -> None:
    """Refuse a call that its caller may not make.

    ``on`` is the account and what the call names there, ``needed`` what a signature must have, as ``check_access``
    has it.

    Raises:
        StorageError: 401: the caller is not known; 403: it may not.
    """
    account, name = on
    scheme = request.headers.get("authorization", "").partition(" ")[0].lower()
    if "sig" in request.query:
        check_access(account, name, request.query, needed, request.client)
    elif scheme == SCHEME:
        check_shared_key(account, request)
    elif scheme == "bearer":
        _check_role(cloud, request, account, action)
    else:
        raise _unauthenticated(cloud, request, "NoAuthenticationInformation", _SERVER_FAILED)


def _check_role(cloud: Cloud, request: Request, account: Resource, action: Action) -> None:
    try:
        claims = read_token(cloud.account, request.headers, request.base_url)
    except ArmError as error:
        raise _unauthenticated(cloud, request, "InvalidAuthenticationInfo", error.message) from error
    audience = str(claims.get("aud", "")).rstrip("/")
    if audience not in {STORAGE, f"https://{account.id.name}{BLOB_SUFFIX}"}:
        raise _unauthenticated(cloud, request, "InvalidAuthenticationInfo", "The audience of the token is wrong.")
    is_on_data = "/blobs/" in action.name
    permitted = is_permitted_on_data if is_on_data else is_permitted
    if not permitted(cloud, claims, action.name, action.scope):
        raise permission_mismatch()


def _unauthenticated(cloud: Cloud, request: Request, code: str, message: str) -> StorageError:
    authority = f"{login_url(request.base_url)}/{cloud.account.tenant_id}/oauth2/authorize"
    challenge = f"Bearer authorization_uri={authority} resource_id={STORAGE}"
    return StorageError(401, code, message, {"WWW-Authenticate": challenge})
