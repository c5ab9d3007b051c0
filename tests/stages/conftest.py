"""A build in front of a scripted ARM."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.cloud.scripted_arm import SUBSCRIPTION, ScriptedArm, connect
from verified_images.journal import Journal, Target
from verified_images.naming import Run
from verified_images.stages.context import open_context
from verified_images.templates.model import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from verified_images.stages.context import BuildContext

CREATED = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
RUN = Run("abcdefgh", "web", "ada", CREATED, CREATED + timedelta(hours=8))
BUILDER = {
    "source": {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2"},
    "vm_size": "Standard_B2s",
    "location": "westeurope",
    "allowed_inbound_ip_addresses": ["203.0.113.7"],
}
GALLERY = {"resource_group": "images", "gallery": "golden", "definition": "web"}
MANAGED = {"resource_group": "images", "name": "web-abcdefgh"}


class Told:
    """An Output that remembers."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.texts: list[str] = []

    def step(self, message: str) -> None:
        self.steps.append(message)

    def text(self, chunk: str) -> None:
        self.texts.append(chunk)


@pytest.fixture
def scripted() -> ScriptedArm:
    """The other end of the connection."""
    return ScriptedArm()


@pytest.fixture
def told() -> Told:
    """What the build told."""
    return Told()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """The run's journal."""
    with Journal.open(RUN, tmp_path / "runs", target=Target("scripted", SUBSCRIPTION, "")) as journal:
        yield journal


@pytest.fixture
def open_build(
    scripted: ScriptedArm, told: Told, journal: Journal, tmp_path: Path
) -> Iterator[Callable[..., BuildContext]]:
    """Open a build: ``open_build(builder={...}, image={...}, smoke={...})`` overrides what the template says."""
    connection = connect(scripted)

    def open_it(**overrides: dict[str, Any]) -> BuildContext:
        builder = {**BUILDER, **overrides.pop("builder", {})}
        template = Template.model_validate(
            {
                "name": "web",
                "file": tmp_path / "template.yaml",
                "builder": builder,
                "image": overrides.pop("image", {"gallery": GALLERY, "tags": {"team": "platform"}}),
                **overrides,
            }
        )
        return open_context(template, connection, RUN, journal=journal, output=told)

    yield open_it
    connection.close()
