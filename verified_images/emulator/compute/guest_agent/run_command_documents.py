"""The run commands that a location offers. Source: Azure OpenAPI, runCommand examples, and recorded answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

_BASE = "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/runCommands"
_SCHEMA = "http://schema.management.azure.com/schemas/2016-11-17/runcommands.json"


@dataclass(frozen=True, slots=True)
class Document:
    """A run command: its name, what it is for, and the script that it runs unless the caller brings one."""

    name: str
    os_type: str
    label: str
    description: str
    script: tuple[str, ...]
    parameters: tuple[str, ...] = ()

    @property
    def takes_script(self) -> bool:
        """Whether the caller's own script is run."""
        return self.name in {"RunShellScript", "RunPowerShellScript"}

    def short(self) -> dict[str, Any]:
        """Give what a list shows."""
        return {
            "$schema": _SCHEMA,
            "id": self.name,
            "osType": self.os_type,
            "label": self.label,
            "description": self.description,
        }

    def full(self) -> dict[str, Any]:
        """Give the whole document."""
        parameters = [{"name": name, "type": "string", "required": False} for name in self.parameters]
        shown = {"parameters": parameters} if parameters else {}
        return {"script": list(self.script), **shown, **self.short()}


_SCRIPT_TEXT = (
    "Custom multiline {kind} script should be defined in script property. Optional parameters can be set in parameters "
    "property."
)
DOCUMENTS = (
    Document(
        "RunPowerShellScript",
        "Windows",
        "Executes a PowerShell script",
        _SCRIPT_TEXT.format(kind="PowerShell"),
        (
            "param(\r\n  [string]$arg1,\r\n  [string]$arg2\r\n)\r\n",
            "Write-Host This is a sample script with parameters $arg1 $arg2\r\n",
        ),
        ("arg1", "arg2"),
    ),
    Document(
        "RunShellScript",
        "Linux",
        "Executes a Linux shell script",
        _SCRIPT_TEXT.format(kind="shell"),
        ('echo "This is a sample script with parameters $1 $2"',),
        ("arg1", "arg2"),
    ),
    Document(
        "ifconfig",
        "Linux",
        "List network configuration",
        "Get the configuration of all network interfaces.",
        ("ifconfig 2>/dev/null || ip address show",),
    ),
    Document(
        "EnableRemotePS",
        "Windows",
        "Enable remote PowerShell",
        "Configure the machine to enable remote PowerShell.",
        ("Enable-PSRemoting -Force",),
    ),
    Document(
        "IPConfig",
        "Windows",
        "List IP configuration",
        "Shows detailed information for the IP address, subnet mask and default gateway for each adapter bound to "
        "TCP/IP.",
        ("ipconfig /all",),
    ),
)


def find_document(name: str) -> Document:
    """Give a run command by its name, without regard to case.

    Raises:
        ArmError: 404 NotFound.
    """
    for document in DOCUMENTS:
        if document.name.lower() == name.lower():
            return document
    raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", _BASE, _list)
    yield Route("GET", _BASE + "/{command}", _get)


def _list(cloud: Cloud, request: Request) -> Answer:
    return page(cloud, request, [document.short() for document in DOCUMENTS])


def _get(cloud: Cloud, request: Request) -> Answer:
    del cloud
    return Answer(200, find_document(request.parameters["command"]).full())
