"""How pytest-xdist shares out the project's own tests under ``--dist loadgroup``.

It is done by the files here: the groups that pytest-xdist 3.8 writes into node ids are lost in pytest 9.2.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[1]


class ModuleScheduling(LoadScopeScheduling):
    """Gives each module to one worker, and those with real guests in two groups, so that guests are booted once."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0])


@cache
def group_of(module: str) -> str:
    """Give the group of a module: its own, ``guests`` that the emulator's tests look at, ``builds`` on other guests."""
    if "pytest.mark.qemu" not in (ROOT / module).read_text(encoding="utf-8"):
        return module
    return "guests" if "/emulator/" in module else "builds"
