"""The version of Packer that a template asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from verified_images.templates.packer.functions import PACKER_VERSION

if TYPE_CHECKING:
    from verified_images.templates.packer.findings import Findings
    from verified_images.templates.problems import KeyPath

_CONSTRAINT = re.compile(r"\s*(>=|<=|!=|~>|=|>|<|)\s*v?(\d{1,9}(?:\.\d{1,9}){0,2})(?:-[\w.-]+)?\s*")


def check_version(constraints: str, path: KeyPath, findings: Findings) -> None:
    """Note that a template is for newer versions of Packer than the one that is followed here."""
    for constraint in constraints.split(","):
        match = _CONSTRAINT.fullmatch(constraint)
        if match is None:
            findings.error(path, f"{constraint.strip()!r} is not a constraint on a version, such as '>= 1.7.0'")
        elif match[1] in {">=", ">", "~>", "=", ""} and _parts(match[2]) > _parts(PACKER_VERSION):
            findings.warn(path, f"the template asks for Packer {match[2]}; it is read as Packer {PACKER_VERSION} does")


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
