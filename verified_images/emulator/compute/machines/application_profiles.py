"""The gallery applications that a machine or scale set is to have, as answers show them. Source: recorded answers."""

from __future__ import annotations

from typing import Any

_DEFAULTS = {"manuallyManaged": False, "treatFailureAsDeploymentFailure": False, "enableAutomaticUpgrade": False}


def with_application_defaults(properties: dict[str, Any]) -> dict[str, Any]:
    """Give the properties of a machine or of a scale set's model, what was left out of its applications filled in."""
    profile = properties.get("applicationProfile") or {}
    if not profile.get("galleryApplications"):
        return properties
    filled = [{**_DEFAULTS, **application} for application in profile["galleryApplications"]]
    return {**properties, "applicationProfile": {**profile, "galleryApplications": filled}}
