"""The table of a matrix of faults: how many cells there are, and how their builds ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

COLUMNS = ("cells", "survived", "failed cleanly", "reaped", "leaked")


@dataclass
class Table:
    """Counts by what went wrong and how it ended; a build that was ``reaped`` failed cleanly or was killed."""

    title: str
    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def count(self, fault: str, *endings: str) -> None:
        """Count a cell, with each of its endings."""
        self.counts.setdefault(fault, Counter()).update(["cells", *endings])

    def lines(self) -> list[str]:
        """Give the table as text."""
        width = max(map(len, [*self.counts, self.title, "together"]))
        total: Counter[str] = sum(self.counts.values(), Counter())
        rows = [*self.counts.items(), ("together", total)]
        head = f"{self.title:{width}}  " + "  ".join(COLUMNS)
        body = [f"{name:{width}}  " + "  ".join(f"{row[c]:>{len(c)}}" for c in COLUMNS) for name, row in rows]
        return [head, *body]


TABLES: list[Table] = []
"""The tables of this session, to be shown at its end."""


def new_table(title: str) -> Table:
    """Begin a table."""
    TABLES.append(Table(title))
    return TABLES[-1]
