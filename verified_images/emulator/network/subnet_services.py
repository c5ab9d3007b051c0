"""What subnets of a location can be delegated to, and which services have an endpoint in them. Source: recorded lists.

The lists name the services themselves, none of which is here: a subnet can be delegated to each all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.routing import GROUP, Route
from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

_SUBNETS = "Microsoft.Network/virtualNetworks/subnets"
_JOIN = f"{_SUBNETS}/join/action"
_CARDS = ("Microsoft.Network/networkinterfaces/*", _JOIN)
_PREPARE = (_JOIN, f"{_SUBNETS}/prepareNetworkPolicies/action", f"{_SUBNETS}/unprepareNetworkPolicies/action")
_ACTIONS = {
    "Microsoft.Web/serverFarms": (f"{_SUBNETS}/action",),
    "Microsoft.ContainerInstance/containerGroups": (f"{_SUBNETS}/action",),
    "Microsoft.Netapp/volumes": _CARDS,
    "Microsoft.HardwareSecurityModules/dedicatedHSMs": _CARDS,
    "Microsoft.Logic/integrationServiceEnvironments": (f"{_SUBNETS}/action",),
    "Microsoft.Batch/batchAccounts": (f"{_SUBNETS}/action",),
    "Microsoft.Sql/managedInstances": _PREPARE,
    "Microsoft.Web/hostingEnvironments": (f"{_SUBNETS}/action",),
    "Microsoft.Databricks/workspaces": _PREPARE,
    "Microsoft.StreamAnalytics/streamingJobs": (_JOIN,),
    "Microsoft.MachineLearningServices/workspaces": (_JOIN,),
    "Microsoft.DBforPostgreSQL/flexibleServers": (_JOIN,),
    "Microsoft.DBforMySQL/flexibleServers": (_JOIN,),
    "Microsoft.ApiManagement/service": _PREPARE[:2],
    "Microsoft.Synapse/workspaces": (_JOIN,),
    "Microsoft.Network/dnsResolvers": (_JOIN,),
    "Microsoft.Kusto/clusters": _PREPARE,
    "Microsoft.ContainerService/managedClusters": (_JOIN,),
    "Microsoft.DevCenter/networkConnection": (_JOIN,),
    "Microsoft.App/environments": (_JOIN,),
    "GitHub.Network/networkSettings": (_JOIN,),
}
_WITH_ENDPOINTS = (
    "Microsoft.Storage",
    "Microsoft.Sql",
    "Microsoft.AzureActiveDirectory",
    "Microsoft.AzureCosmosDB",
    "Microsoft.Web",
    "Microsoft.KeyVault",
    "Microsoft.EventHub",
    "Microsoft.ServiceBus",
    "Microsoft.ContainerRegistry",
    "Microsoft.CognitiveServices",
    "Microsoft.Storage.Global",
)


def routes() -> Iterator[Route]:
    """Give the URL table."""
    place = "providers/Microsoft.Network/locations/{location}"
    yield Route("GET", f"/subscriptions/{{subscription}}/{place}/availableDelegations", _list_delegations)
    yield Route("GET", f"{GROUP}/{place}/availableDelegations", _list_delegations)
    yield Route(
        "GET", f"/subscriptions/{{subscription}}/{place}/virtualNetworkAvailableEndpointServices", _list_services
    )


def delegated_actions(service: str) -> list[str]:
    """Give what a service may do in a subnet that is delegated to it."""
    known = {name.lower(): actions for name, actions in _ACTIONS.items()}
    return list(known.get(service.lower(), (_JOIN,)))


def _list_delegations(cloud: Cloud, request: Request) -> Answer:
    del cloud
    kind = "Microsoft.Network/availableDelegations"
    base = f"{request.path.partition('/locations/')[0]}/availableDelegations"
    value = [
        {"name": name, "id": f"{base}/{name}", "type": kind, "serviceName": service, "actions": list(actions)}
        for service, actions in _ACTIONS.items()
        for name in (service.replace("/", "."),)
    ]
    return Answer(200, {"value": value})


def _list_services(cloud: Cloud, request: Request) -> Answer:
    del cloud
    kind = "Microsoft.Network/virtualNetworkEndpointServices"
    base = f"{request.path.partition('/locations/')[0]}/virtualNetworkEndpointServices"
    return Answer(200, {"value": [{"name": name, "id": f"{base}/{name}", "type": kind} for name in _WITH_ENDPOINTS]})
