"""The short list of differences that are right to keep."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.emulator.recordings.player import Compared

_FILE = Path(__file__).with_name("excused.yaml")


@dataclass(frozen=True, slots=True)
class Excuse:
    """One line of the list: three patterns, of which an empty one matches everything, and a reason."""

    reason: str
    recording: str = ""
    call: str = ""
    difference: str = ""

    def covers(self, recording: str, call: str, difference: str) -> bool:
        """Tell whether a difference is excused."""
        pairs = ((self.recording, recording), (self.call, call), (self.difference, difference))
        return all(re.search(pattern, text, re.IGNORECASE) for pattern, text in pairs)


def read_excuses() -> tuple[Excuse, ...]:
    """Read the list."""
    return tuple(Excuse(**line) for line in YAML(typ="safe").load(_FILE.read_text(encoding="utf-8")))


def inexcusable(
    recording: str, compared: Compared, excuses: Iterable[Excuse], used: set[Excuse] | None = None
) -> list[str]:
    """Give the differences that nothing excuses; the excuses that excused something are added to ``used``."""
    left = []
    for difference in compared.differences:
        covering = [excuse for excuse in excuses if excuse.covers(recording, compared.call, difference)]
        if used is not None:
            used.update(covering)
        if not covering:
            left.append(difference)
    return left
