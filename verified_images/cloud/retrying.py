"""What is tried again when Azure Resource Manager does not answer."""

from __future__ import annotations

from typing import Any

from azure.core.pipeline.policies import RetryPolicy

_IDEMPOTENT_HERE = frozenset({"POST", "PATCH"})


class PatientRetryPolicy(RetryPolicy[Any, Any]):
    """The SDK's own policy, which tries POST and PATCH again too when the connection breaks.

    It may: whatever the library posts or patches (deallocate, generalize, promote a version) may be done twice.
    """

    def configure_retries(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the settings of one call."""
        settings = super().configure_retries(options)
        return {**settings, "methods": settings["methods"] | _IDEMPOTENT_HERE}
