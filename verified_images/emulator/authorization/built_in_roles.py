"""The built-in roles that image builds meet. Source: Azure, "Azure built-in roles", and recorded exchanges."""

from __future__ import annotations

from typing import Any

_DEPLOYING = [
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.ResourceHealth/availabilityStatuses/read",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Support/*",
]


_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers"


def _role(identifier: str, name: str, description: str, actions: list[str], not_actions: list[str]) -> dict[str, Any]:
    permission = {"actions": actions, "notActions": not_actions, "dataActions": [], "notDataActions": []}
    return {
        "properties": {
            "roleName": name,
            "type": "BuiltInRole",
            "description": description,
            "assignableScopes": ["/"],
            "permissions": [permission],
            "createdOn": "2015-02-02T21:55:09.8806423Z",
            "updatedOn": "2021-11-11T20:13:47.8628684Z",
            "createdBy": None,
            "updatedBy": None,
        },
        "type": "Microsoft.Authorization/roleDefinitions",
        "name": identifier,
    }


def _data_role(identifier: str, name: str, description: str, verbs: tuple[str, ...]) -> dict[str, Any]:
    """Give a role on blobs: of the verbs, those that containers have too are for them as well."""
    actions = [f"{_BLOBS}/{verb}" for verb in verbs if "/" not in verb]
    role = _role(identifier, name, description, actions, [])
    role["properties"]["permissions"][0]["dataActions"] = [f"{_BLOBS}/blobs/{verb}" for verb in verbs]
    return role


OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
BUILT_IN_ROLES = {
    role["name"]: role
    for role in (
        _role(
            OWNER,
            "Owner",
            "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.",
            ["*"],
            [],
        ),
        _role(
            "b24988ac-6180-42a0-ab88-20f7382dd24c",
            "Contributor",
            "Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC, manage "
            "assignments in Azure Blueprints, or share image galleries.",
            ["*"],
            [
                "Microsoft.Authorization/*/Delete",
                "Microsoft.Authorization/*/Write",
                "Microsoft.Authorization/elevateAccess/Action",
                "Microsoft.Blueprint/blueprintAssignments/write",
                "Microsoft.Blueprint/blueprintAssignments/delete",
                "Microsoft.Compute/galleries/share/action",
            ],
        ),
        _role(
            "acdd72a7-3385-48ef-bd42-f606fba81ae7",
            "Reader",
            "View all resources, but does not allow you to make any changes.",
            ["*/read"],
            [],
        ),
        _role(
            "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
            "User Access Administrator",
            "Lets you manage user access to Azure resources.",
            ["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"],
            [],
        ),
        _role(
            "9980e02c-c2be-4d73-94e8-173b1dc7cf3c",
            "Virtual Machine Contributor",
            "Lets you manage virtual machines, but not access to them, and not the virtual network or storage account "
            "they're connected to.",
            [
                *_DEPLOYING,
                "Microsoft.Compute/availabilitySets/*",
                "Microsoft.Compute/locations/*",
                "Microsoft.Compute/virtualMachines/*",
                "Microsoft.Compute/virtualMachineScaleSets/*",
                "Microsoft.Compute/disks/write",
                "Microsoft.Compute/disks/read",
                "Microsoft.Compute/disks/delete",
                "Microsoft.Network/loadBalancers/backendAddressPools/join/action",
                "Microsoft.Network/loadBalancers/inboundNatPools/join/action",
                "Microsoft.Network/loadBalancers/inboundNatRules/join/action",
                "Microsoft.Network/loadBalancers/probes/join/action",
                "Microsoft.Network/loadBalancers/read",
                "Microsoft.Network/locations/*",
                "Microsoft.Network/networkInterfaces/*",
                "Microsoft.Network/networkSecurityGroups/join/action",
                "Microsoft.Network/networkSecurityGroups/read",
                "Microsoft.Network/publicIPAddresses/join/action",
                "Microsoft.Network/publicIPAddresses/read",
                "Microsoft.Network/virtualNetworks/read",
                "Microsoft.Network/virtualNetworks/subnets/join/action",
            ],
            [],
        ),
        _role(
            "4d97b98b-1d4f-4787-a291-c67834d212e7",
            "Network Contributor",
            "Lets you manage networks, but not access to them.",
            [*_DEPLOYING, "Microsoft.Network/*"],
            [],
        ),
        _data_role(
            "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
            "Storage Blob Data Contributor",
            "Allows for read, write and delete access to Azure Storage blob containers and data.",
            ("delete", "read", "write", "move/action", "add/action"),
        ),
        _data_role(
            "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
            "Storage Blob Data Reader",
            "Allows for read access to Azure Storage blob containers and data.",
            ("read",),
        ),
    )
}
