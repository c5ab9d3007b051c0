"""Files of variables of the other kinds: what each says, for templates of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.templates.variables import load_variables

if TYPE_CHECKING:
    from pathlib import Path


def read_variable_texts(file: Path) -> dict[str, str]:
    """Return the texts that a file gives variables; lists and mappings of HCL, which only HCL can use, are left out.

    Raises:
        TemplateError: it cannot be read, or something in it is wrong.
    """
    if not file.name.endswith(".hcl"):
        return load_variables(file)
    from verified_images.templates.packer.hcl.variables import read_constants  # noqa: PLC0415 - its grammar is slow to load

    return read_constants(file)
