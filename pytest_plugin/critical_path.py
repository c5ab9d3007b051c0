"""What determined how long a spec's build took: its stages, one after the other, and the longest steps of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_plugin.run import StageResult
    from pytest_plugin.stages import Stage

MOST_STEPS = 2
_TELLING = 0.1
"""The share of a stage's seconds, and the number of seconds, below which a step is not worth a word."""


def trace_critical_path(results: Mapping[Stage, StageResult]) -> str:
    """Give the stages that took time, in order, with their seconds and those of their longest steps.

    An empty text: nothing has been done.
    """
    stages = [
        f"{stage} {result.seconds:.1f} s{_longest_of(result)}" for stage, result in results.items() if result.seconds
    ]
    return ", ".join(stages)


def _longest_of(result: StageResult) -> str:
    telling = [(name, seconds) for name, seconds in result.steps if seconds >= _TELLING * max(result.seconds, 1)]
    longest = sorted(telling, key=lambda step: step[1], reverse=True)[:MOST_STEPS]
    return f" ({', '.join(f'{name}: {seconds:.1f} s' for name, seconds in longest)})" if longest else ""


def time_steps(begun: Sequence[tuple[str, float]], end: float) -> tuple[tuple[str, float], ...]:
    """Give the seconds that each step lasted, which is until the next one was begun; ``end`` is when the last ended."""
    ends = [*(at for _, at in begun[1:]), end]
    return tuple((name, until - at) for (name, at), until in zip(begun, ends, strict=False))
