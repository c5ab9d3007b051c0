"""What others recorded of Azure, played to the local Azure.

A difference that is right to keep stands in excused.yaml. agreement.json holds the counts below which no recording may
sink; ``--update-golden`` writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.recordings.exchanges import find_shared_folder, recording_files
from tests.emulator.recordings.tally import Tally, read_floors, write_floors

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.recordings.tally import Count

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(find_shared_folder() is None, reason="the recordings are not here"),
]


@pytest.mark.parametrize("name", list(recording_files()))
def test_a_recording_agrees_as_far_as_it_did(
    name: str, play: Callable[[str], Count], tally: Tally, request: pytest.FixtureRequest
) -> None:
    count = play(name)
    if request.config.getoption("--update-golden"):
        write_floors({name: count})
    floor = read_floors()[name]
    assert count.compared >= floor.compared
    assert count.differing <= floor.differing, "\n".join([f"{floor.differing} differed", *tally.differences[name]])
    assert count.agreeing >= floor.agreeing


def test_every_excuse_excuses_something(play: Callable[[str], Count], tally: Tally) -> None:
    for name in recording_files():
        play(name)
    assert [excuse.reason for excuse in tally.excuses if excuse not in tally.used] == []
