"""What determined how long a spec's build took: its stages, one after the other, and the longest steps of each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_plugin.run import StageResult
    from pytest_plugin.stages import Stage

MOST_STEPS = 2
_GOES_ON = " ..."
_SECONDS = re.compile(r"\d+\.\d s")
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
    """Give the seconds that each step lasted; ``end`` is when the last ended.

    A step "create this ..." lasts until "create this: 3.1 s" is told, whatever goes on beside it; any other one until
    the next one is begun.
    """
    steps = []
    for place, (name, at) in enumerate(begun):
        later = begun[place + 1 :]
        what = name.removesuffix(_GOES_ON)
        ends = [until for other, until in later if what != name and _tells_end_of(what, other)]
        if not any(_is_news_of(other, name) for other, _ in begun[:place]):
            steps.append((what, next(iter(ends), next((until for _, until in later), end)) - at))
    return tuple(steps)


def _is_news_of(step: str, message: str) -> bool:
    """Tell whether a message is about a step that was begun before it: how far it is, or its end."""
    what = step.removesuffix(_GOES_ON)
    return (what != step and message.startswith(f"{what}: ")) or _tells_end_of(what, message)


def _tells_end_of(what: str, message: str) -> bool:
    return message.startswith(f"{what}: ") and _SECONDS.fullmatch(message, len(what) + 2) is not None
