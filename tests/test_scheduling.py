from __future__ import annotations

import pytest

from tests.scheduling import group_of


@pytest.mark.parametrize(
    ("module", "group"),
    [
        ("tests/emulator/qemu/test_story.py", "guests"),
        ("tests/emulator/qemu/test_rolling_upgrade.py", "guests"),
        ("tests/provisioners/test_real_guest.py", "builds"),
        ("tests/test_verify.py", "builds"),
        ("tests/emulator/qemu/test_seed.py", "tests/emulator/qemu/test_seed.py"),
        ("tests/test_journal.py", "tests/test_journal.py"),
    ],
)
def test_modules_with_real_guests_are_grouped(module: str, group: str) -> None:
    assert group_of(module) == group
