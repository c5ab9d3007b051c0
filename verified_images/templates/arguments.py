"""The types of what provisioners hand to other programs: files, and words that stand on a command line."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema

from verified_images.templates.base import wrong


def _listed(value: object) -> object:
    return (value,) if isinstance(value, SecretStr | str | int | float) else value


def _public(value: object) -> object:
    if isinstance(value, SecretStr):
        raise wrong("a secret would stand on a command line here, where every process can read it")
    return value


_ONE_OR_MORE = WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}})

Word = Annotated[str, BeforeValidator(_public)]
"""Text that a process list shows, so that it must not hold a secret."""
Words = Annotated[tuple[Word, ...], BeforeValidator(_listed), _ONE_OR_MORE]
"""Any number of words; a list of one may be written without brackets."""
Path = Annotated[Word, Field(min_length=1)]
"""The name of a file or folder."""
Paths = Annotated[tuple[Path, ...], BeforeValidator(_listed), _ONE_OR_MORE]
"""Any number of files or folders; a list of one may be written without brackets."""
ExitCodes = Annotated[tuple[Annotated[int, Field(ge=0, le=255)], ...], Field(min_length=1)]
"""The exit codes that mean success."""
