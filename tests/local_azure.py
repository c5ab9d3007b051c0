"""A build on the local Azure, with machines that answer in milliseconds: real HTTP, the real SDK, real SSH."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.emulator.openapi import validation
from verified_images.cloud.connection import connect_local
from verified_images.emulator.local_cloud import LocalCloud, Options
from verified_images.journal import Journal, Target
from verified_images.naming import new_run
from verified_images.pipeline import Build
from verified_images.templates.model import Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from verified_images.cloud.connection import CloudConnection
    from verified_images.naming import Run

validation.install()
LOCATION = "westeurope"
GROUP = "images"
BUILDER = {
    "source": {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2"},
    "vm_size": "Standard_B2s",
    "location": LOCATION,
}
GALLERY = {"resource_group": GROUP, "gallery": "golden", "definition": "web"}
MANAGED = {"resource_group": GROUP, "name": "web-managed"}
PROVISIONERS = (
    {"shell": {"inline": ["apt-get update", "apt-get install -y nginx"], "sudo": True}},
    {"file": {"content": "<h1>verified</h1>\n", "destination": "/var/www/html/index.html", "sudo": True}},
)


class Told:
    """An Output that remembers."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.texts: list[str] = []

    def step(self, message: str) -> None:
        self.steps.append(message)

    def text(self, chunk: str) -> None:
        self.texts.append(chunk)


@contextmanager
def start_local_azure(
    folder: Path, cache: Path, *, announced: bool = False
) -> Iterator[tuple[LocalCloud, CloudConnection]]:
    """Run a local Azure with an empty gallery to publish in, and a connection to it.

    ``announced`` lets other processes find it.
    """
    with LocalCloud(folder, Options(hypervisor="fake", cache=cache, announced=announced)) as cloud:
        connection = connect_local(**cloud.access)
        make_targets(connection)
        yield cloud, connection
        connection.close()


def make_targets(connection: CloudConnection) -> None:
    """Make the group, the gallery and the image definition that templates name."""
    connection.resources.resource_groups.create_or_update(GROUP, {"location": LOCATION})
    gallery: Any = {"location": LOCATION}
    connection.compute.galleries.begin_create_or_update(GROUP, "golden", gallery).result()
    definition: Any = {
        "location": LOCATION,
        "properties": {
            "osType": "Linux",
            "osState": "Generalized",
            "hyperVGeneration": "V2",
            "identifier": {"publisher": "us", "offer": "web", "sku": "web"},
        },
    }
    connection.compute.gallery_images.begin_create_or_update(GROUP, "golden", "web", definition).result()


def make_template(folder: Path, **parts: Any) -> Template:  # noqa: ANN401 - any part of a template
    """Return a template; ``parts`` replace those of the default one."""
    smoke = {"instances": 2, "port": 80, "path": "/", "timeout": 60}
    values = {"builder": BUILDER, "provisioners": PROVISIONERS, "image": {"gallery": GALLERY}, "smoke": smoke}
    return Template.model_validate({"name": "web", "file": folder / "template.yaml", **values, **parts})


@contextmanager
def opened_build(  # noqa: PLR0913 - what a build is made of
    connection: CloudConnection,
    template: Template,
    folder: Path,
    *,
    told: Told | None = None,
    run: Run | None = None,
    layers: bool = False,
) -> Iterator[Build]:
    """Open a build with a journal of its own; leaving it cleans up."""
    run = run or new_run(template.name)
    target = Target(connection.name, connection.subscription_id, connection.endpoint)
    with (
        Journal.open(run, folder / "runs", target=target) as journal,
        Build(template, connection, run, journal=journal, output=told or Told(), layers=layers) as build,
    ):
        yield build


def everything(connection: CloudConnection) -> Mapping[str, str]:
    """Return the type of every resource and group there is, by id."""
    resources = connection.resources
    found = {item["id"]: str(item["type"]) for item in resources.resources.list()}
    groups = {item["id"]: "group" for item in resources.resource_groups.list()}
    return {**found, **groups}
