"""What is made is remembered first, and forgotten only when it is gone or published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from verified_images.stages.undo import UndoStack

if TYPE_CHECKING:
    from verified_images.journal import Journal

GROUP = "/subscriptions/s/resourceGroups/g"
NIC = f"{GROUP}/providers/Microsoft.Network/networkInterfaces/nic"
IMAGE = "/subscriptions/s/resourceGroups/images/providers/Microsoft.Compute/images/web"


@pytest.fixture
def undo(journal: Journal) -> UndoStack:
    return UndoStack(journal)


def test_the_newest_comes_first(undo: UndoStack) -> None:
    undo.register("resource group", GROUP, lambda: None)
    undo.register("network interface", NIC)
    assert [temporary.id for temporary in undo.newest_first()] == [NIC, GROUP]


def test_the_journal_knows_before_anything_is_made(undo: UndoStack, journal: Journal) -> None:
    undo.register("resource group", GROUP)
    assert [entry.resource_id for entry in journal.left()] == [GROUP]


def test_a_group_takes_along_what_is_in_it(undo: UndoStack, journal: Journal) -> None:
    undo.register("resource group", GROUP)
    undo.register("network interface", NIC)
    undo.register("image", IMAGE)
    undo.forget(GROUP.upper())
    assert [temporary.id for temporary in undo.newest_first()] == [IMAGE]
    assert [entry.resource_id for entry in journal.left()] == [IMAGE]


def test_what_is_published_is_not_temporary_any_more(undo: UndoStack, journal: Journal) -> None:
    undo.register("image", IMAGE)
    undo.keep(IMAGE)
    assert undo.newest_first() == ()
    assert journal.left() == ()
    assert undo.is_kept(IMAGE.upper())
    assert not undo.is_kept(NIC)
