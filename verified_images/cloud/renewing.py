"""What is done when Azure Resource Manager does not take a token any more: a new one is shown, once."""

from __future__ import annotations

from typing import Any

from azure.core.pipeline.policies import BearerTokenCredentialPolicy

from verified_images.cloud.credentials import RenewableCredential


class RenewingAuthenticationPolicy(BearerTokenCredentialPolicy[Any, Any]):
    """The SDK's own policy, which answers 401 with a token that no cache has, and tries the request again once.

    The SDK does so only where Azure asks for other claims (continuous access evaluation). It does not where a token has
    expired earlier than it said, as with clocks that differ or access that was revoked and given again.
    """

    def __init__(self, credential: Any, *scopes: str, **options: Any) -> None:  # noqa: ANN401 - the SDK's
        super().__init__(credential, *scopes, **options)
        self._renewable = credential if isinstance(credential, RenewableCredential) else None

    def on_challenge(self, request: Any, response: Any) -> bool:  # noqa: ANN401 - the SDK's
        """Tell whether the request is to be sent again, with the token that is in it now."""
        if super().on_challenge(request, response):
            return True
        refused = request.http_request.headers.get("Authorization", "").partition(" ")[2]
        if self._renewable is None or not refused:
            return False
        self._renewable.renew(refused)
        self.authorize_request(request, *self._scopes)
        return True
