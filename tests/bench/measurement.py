"""What a benchmark returns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure beside its budget, both in `unit` (an empty one for ratios); less is better."""

    what: str
    measured: float
    budget: float
    unit: str

    @property
    def ratio(self) -> float:
        """The share of the budget that is used; more than 1 is too much."""
        return self.measured / self.budget
