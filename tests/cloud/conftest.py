"""Fixtures of the tests of cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cloud.scripted_arm import SUBSCRIPTION, ScriptedArm, connect
from verified_images.cloud.operations import Arm
from verified_images.cloud.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def scripted() -> ScriptedArm:
    """The other end of the connection."""
    return ScriptedArm()


@pytest.fixture
def said() -> list[str]:
    """What was reported."""
    return []


@pytest.fixture
def arm(scripted: ScriptedArm, said: list[str]) -> Iterator[Arm]:
    """Azure Resource Manager, scripted."""
    connection = connect(scripted)
    yield Arm(connection, said.append)
    connection.close()


@pytest.fixture
def place() -> Place:
    """Where resources are made."""
    return Place(SUBSCRIPTION, "vi-web-abcdefgh", "westeurope", {"vi-run": "abcdefgh", "vi-spec": "web"})
