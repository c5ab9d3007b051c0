"""Programs on the machine that stand in for tools that cannot be installed where the tests run."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.provisioners.machine import Bench

_PROGRAM = """\
#!/bin/sh
name=$(basename "$0")
{{
  printf '%s' "$name"
  for word; do printf ' %s' "$word"; done
  printf '\\n'
}} >>{record}/calls
env >{record}/environment
pwd >{record}/folder
rm -rf {record}/tree
[ ! -d {staging} ] || cp -a {staging} {record}/tree
echo "$name says hello"
[ ! -e {record}/$name.sh ] || . {record}/$name.sh
"""


class StandIn:
    """Programs that record how they are called, and the staging folder at that moment, in ``tree``."""

    def __init__(self, bench: Bench, kind: str, *names: str) -> None:
        self.bench = bench
        self.kind = kind
        self.staging = f"/tmp/vi-{bench.run.id}-1-{kind}"  # noqa: S108 - where the provisioners stage
        self.record = bench.folder.parent / "record"
        self.bin = bench.folder.parent / "bin"
        self.record.mkdir()
        self.bin.mkdir()
        self.tree = self.record / "tree"
        for name in names:
            program = self.bin / name
            program.write_text(_PROGRAM.format(record=shlex.quote(str(self.record)), staging=self.staging))
            program.chmod(0o755)

    @property
    def path(self) -> str:
        """A search path on which the stand-ins come first."""
        return f"{self.bin}:{os.environ['PATH']}"

    @property
    def calls(self) -> list[str]:
        """The command lines so far, without the name of the staging folder."""
        return (self.record / "calls").read_text().replace(self.staging, "STAGING").splitlines()

    @property
    def environment(self) -> dict[str, str]:
        lines = (self.record / "environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def behave(self, name: str, script: str) -> None:
        """Let ``name`` do this in the end."""
        (self.record / f"{name}.sh").write_text(script)

    def read(self, name: str) -> str:
        """Return what was in a file of the staging folder."""
        return (self.tree / name).read_text().replace(self.staging, "STAGING")

    def provision(self, **keys: object) -> None:
        self.bench.provision({self.kind: keys})

    def write(self, files: dict[str, str]) -> None:
        """Write files of the template by their names."""
        for name, text in files.items():
            file = self.bench.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    @property
    def left(self) -> list[Path]:
        """What is left of staging folders."""
        return list(Path("/tmp").glob(f"vi-{self.bench.run.id}-*"))  # noqa: S108
