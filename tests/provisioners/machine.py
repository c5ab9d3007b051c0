"""A template's folder and a machine to run provisioners on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.masking import Masker
from verified_images.naming import new_run
from verified_images.provisioners import ProvisionContext, run_provisioners
from verified_images.templates import model  # noqa: F401 - makes the kinds of provisioners known
from verified_images.templates.provisioners import read_provisioner

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.ssh.session import Session

FIRST_LINE = 10


class Bench:
    """Runs provisioners as a template says them; ``output`` and ``steps`` are what was told of it."""

    def __init__(self, session: Session, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.session = session
        self.steps: list[str] = []
        self.shown: list[str] = []
        self.masker = Masker(["hunter2"])
        self.run = new_run("debian-nginx")

    @property
    def output(self) -> str:
        return "".join(self.shown)

    def provision(self, *entries: dict[str, dict[str, object]]) -> None:
        """Run the provisioners, of which the first stands in line 10, the next in line 11, and so on."""
        provisioners = [
            read_provisioner(entry).placed(index, FIRST_LINE + index - 1) for index, entry in enumerate(entries, 1)
        ]
        file = self.folder / "template.yaml"
        run_provisioners(
            provisioners,
            ProvisionContext(self.session, file, self.run, self.masker, self.steps.append, self.shown.append),
        )

    def shell(self, **keys: object) -> None:
        self.provision({"shell": keys})

    def file(self, **keys: object) -> None:
        self.provision({"file": keys})
