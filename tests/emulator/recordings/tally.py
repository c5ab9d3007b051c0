"""How many exchanges agree, by recording and by operation."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.emulator.recordings.excuses import inexcusable, read_excuses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.emulator.recordings.excuses import Excuse
    from tests.emulator.recordings.player import Compared

FLOORS = Path(__file__).with_name("agreement.json")


@dataclass
class Count:
    """Of one recording or one operation."""

    compared: int = 0
    agreeing: int = 0
    excused: int = 0

    @property
    def differing(self) -> int:
        """The exchanges with a difference that nothing excuses."""
        return self.compared - self.agreeing - self.excused


@dataclass
class Tally:
    """The counts of what has been played, and the differences that nothing excuses."""

    recordings: dict[str, Count] = field(default_factory=dict)
    operations: dict[str, Count] = field(default_factory=dict)
    differences: dict[str, list[str]] = field(default_factory=dict)
    excuses: tuple[Excuse, ...] = field(default_factory=read_excuses)
    used: set[Excuse] = field(default_factory=set)

    def add(self, recording: str, played: Sequence[Compared]) -> Count:
        """Count what a recording came to."""
        count = self.recordings[recording] = Count()
        self.differences[recording] = []
        for compared in played:
            left = inexcusable(recording, compared, self.excuses, self.used)
            for each in (count, self.operations.setdefault(compared.call, Count())):
                each.compared += 1
                each.agreeing += not compared.differences
                each.excused += bool(compared.differences) and not left
            if left:
                place = compared.path.partition("/providers/")[2] or compared.path
                title = f"{compared.number} {compared.method} {place} ({compared.status})"
                self.differences[recording].append("\n    ".join([title, *left]))
        return count

    @property
    def total(self) -> Count:
        """Everything together."""
        counts = self.recordings.values()
        return Count(*(sum(getattr(count, name) for count in counts) for name in ("compared", "agreeing", "excused")))

    def lines(self) -> Iterator[str]:
        """Give the table by operation, those that differ most first."""
        by_operation = sorted(self.operations.items(), key=lambda item: (-item[1].differing, item[0]))
        for call, count in [*by_operation, ("all", self.total)]:
            yield f"{count.compared:5} {count.agreeing:8} {count.excused:7} {count.differing:9}  {call}"


def read_floors() -> dict[str, Count]:
    """Read the counts below which no recording may sink."""
    return {name: Count(**counts) for name, counts in json.loads(FLOORS.read_text()).items()}


def write_floors(recordings: dict[str, Count]) -> None:
    """Write the counts of what has been played, those of other recordings left as they are."""
    floors = (read_floors() if FLOORS.exists() else {}) | recordings
    lines = (f"{json.dumps(name)}: {json.dumps(asdict(count))}" for name, count in sorted(floors.items()))
    FLOORS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def kinds_of(differences: dict[str, list[str]]) -> Counter[str]:
    """Count differences of the same kind, whatever recording they are in."""
    return Counter(line.strip() for found in differences.values() for each in found for line in each.split("\n")[1:])
