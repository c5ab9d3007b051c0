"""Azure's public regions, by name and display name. Source: Azure, "List of Azure regions"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError

if TYPE_CHECKING:
    from verified_images.emulator.store import Resource

DISPLAY_NAMES = (
    "Australia Central",
    "Australia Central 2",
    "Australia East",
    "Australia Southeast",
    "Austria East",
    "Brazil South",
    "Canada Central",
    "Canada East",
    "Central India",
    "Central US",
    "Central US EUAP",
    "East Asia",
    "East US",
    "East US 2",
    "East US 2 EUAP",
    "France Central",
    "France South",
    "Germany North",
    "Germany West Central",
    "Israel Central",
    "Italy North",
    "Japan East",
    "Japan West",
    "Korea Central",
    "Korea South",
    "Mexico Central",
    "New Zealand North",
    "North Central US",
    "North Europe",
    "Norway East",
    "Norway West",
    "Poland Central",
    "Qatar Central",
    "South Africa North",
    "South Africa West",
    "South Central US",
    "South India",
    "Southeast Asia",
    "Spain Central",
    "Sweden Central",
    "Sweden South",
    "Switzerland North",
    "Switzerland West",
    "UAE Central",
    "UAE North",
    "UK South",
    "UK West",
    "West Central US",
    "West Europe",
    "West India",
    "West US",
    "West US 2",
    "West US 3",
)

LOCATIONS = {display.replace(" ", "").lower(): display for display in DISPLAY_NAMES}

ZONAL_LOCATIONS = frozenset(
    {
        "australiaeast",
        "austriaeast",
        "brazilsouth",
        "canadacentral",
        "centralindia",
        "centralus",
        "eastasia",
        "eastus",
        "eastus2",
        "francecentral",
        "germanywestcentral",
        "israelcentral",
        "italynorth",
        "japaneast",
        "japanwest",
        "koreacentral",
        "mexicocentral",
        "newzealandnorth",
        "northeurope",
        "norwayeast",
        "polandcentral",
        "qatarcentral",
        "southafricanorth",
        "southcentralus",
        "southeastasia",
        "spaincentral",
        "swedencentral",
        "switzerlandnorth",
        "uaenorth",
        "uksouth",
        "westeurope",
        "westus2",
        "westus3",
    }
)
"""Those with availability zones. Source: Azure, "Azure regions with availability zone support"."""


def normalize_location(text: str) -> str:
    """Give the name of a location that is spelt either way (``East US 2``, ``eastus2``)."""
    return text.replace(" ", "").lower()


def check_known_location(text: str) -> str:
    """Give the name of the location that a call's path names.

    Raises:
        ArmError: 400 NoRegisteredProviderFound: there is no such location.
    """
    name = normalize_location(text)
    if name not in LOCATIONS:
        raise ArmError(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '{text}'. The supported locations are "
            f"'{', '.join(LOCATIONS)}'.",
        )
    return name


def check_location(type_name: str, body: dict[str, Any], existing: Resource | None) -> None:
    """Check the location of a PUT's body and normalise it in place.

    Raises:
        ArmError: 400: it is missing or unknown; 409: the resource exists elsewhere.
    """
    given = body.get("location")
    if not isinstance(given, str) or not given:
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    name = normalize_location(given)
    if name not in LOCATIONS:
        raise ArmError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{given}' is not available for resource type '{type_name}'. List of available "
            f"regions for the resource type is '{','.join(LOCATIONS)}'.",
        )
    if existing and existing.location != name:
        raise ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{existing.id.name}' already exists in location '{existing.location}' in resource group "
            f"'{existing.id.group}'. A resource with the same name cannot be created in location '{name}'. Please "
            "select a new resource name.",
        )
    body["location"] = name
