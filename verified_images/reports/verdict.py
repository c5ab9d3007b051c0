"""What the tests said: the value without which nothing is captured or published."""

from __future__ import annotations

from dataclasses import dataclass

from verified_images.errors import GateClosedError


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether what was to be verified is verified.

    ``reasons`` name, one sentence or node id each, what closed the gate; a passed verdict has none.
    ``tests`` counts those that ran and passed; ``inputs`` is the fingerprint of what was built and of its tests.
    """

    passed: bool
    reasons: tuple[str, ...] = ()
    tests: int = 0
    inputs: str = ""

    def open_gate(self, stage: str) -> None:
        """Return if the verdict is passed.

        Raises:
            GateClosedError: it is not; the error names ``stage`` and the reasons.
        """
        if not self.passed:
            raise GateClosedError(stage, self.reasons or ("nothing was verified",))
