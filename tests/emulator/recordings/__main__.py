"""Print in what the local Azure differs from recordings: ``python -m tests.emulator.recordings [NAME...]``.

``--folder FOLDER`` plays the recordings in another folder, and below it, than those that the tests play.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.emulator.recordings.exchanges import read_recording, recording_files
from tests.emulator.recordings.player import Player
from tests.emulator.recordings.tally import Tally, kinds_of
from verified_images.emulator import LocalCloud, Options
from verified_images.emulator.identity import issue_token
from verified_images.emulator.timing import Timing


def main(parts: list[str], other: Path | None) -> None:
    """Play the recordings with a name that has one of the parts in it, all if there are none."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        for name, file in recording_files(other).items():
            if parts and not any(part in name for part in parts):
                continue
            options = Options(hypervisor="fake", cache=Path(folder) / "cache", timing=Timing(default=0.002))
            with LocalCloud(Path(folder) / file.stem, options) as cloud:
                player = Player(cloud, issue_token(cloud.account, "127.0.0.1"))
                count = tally.add(name, player.play(read_recording(file)))
            _say(f"== {name}: {count.agreeing} of {count.compared} agree, {count.excused} excused")
            for difference in tally.differences[name]:
                _say(f"  {difference}")
    for kind, number in kinds_of(tally.differences).most_common(60):
        _say(f"{number:5} {kind[:200]}")
    for line in tally.lines():
        _say(line)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


parser = argparse.ArgumentParser(prog="python -m tests.emulator.recordings")
parser.add_argument("names", nargs="*", metavar="NAME", help="a part of the names of recordings to play")
parser.add_argument("--folder", type=Path, help="where other recordings are than those that the tests play")
arguments = parser.parse_args()
main(arguments.names, arguments.folder)
