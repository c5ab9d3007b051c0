"""The ``file`` provisioner's keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from verified_images.templates.base import wrong
from verified_images.templates.fields import Text, one_of
from verified_images.templates.provisioners import Provisioner

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST_MODE = 0o7777


def _mode(value: object) -> object:
    """Read octal digits, as ``chmod`` does; a number that is not from a template is taken as it is."""
    if isinstance(value, str):
        if not re.fullmatch(r"(0o?)?[0-7]{3,4}", value, re.ASCII):
            raise wrong(f"{value!r} is not a file mode; write octal digits such as 0644")
        return int(value.removeprefix("0o"), 8)
    return value


def _account(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_0-9][A-Za-z0-9_.-]{0,31}\$?", value, re.ASCII):
        raise wrong(f"{value!r} is not the name or number of a user or group")
    return value


def _somewhere(value: str) -> str:
    if not value.strip():
        raise wrong("a path is needed")
    return value


Path = Annotated[str, AfterValidator(_somewhere)]
Account = Annotated[str, AfterValidator(_account)]
Mode = Annotated[
    int,
    BeforeValidator(_mode),
    Field(ge=0, le=_LARGEST_MODE),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["0644"]}),
]


class FileProvisioner(Provisioner):
    """Copy files or folders to the machine, or from it."""

    kind: ClassVar[str] = "file"

    source: Path | None = None
    """A file or folder beside the template; a folder with a trailing slash means what is in it."""
    sources: Annotated[tuple[Path, ...], Field(min_length=1)] | None = None
    """Files and folders beside the template; the destination is then a folder."""
    content: Text | None = None
    """The text of the file."""
    destination: Path
    """Where to; with a trailing slash it is a folder."""
    direction: Literal["upload", "download"] = "upload"
    """``upload`` to the machine, or ``download`` from it to a path beside the template."""
    sudo: bool = False
    """Whether to write (or read) as root."""
    owner: Account | None = None
    """The owner of what is uploaded."""
    group: Account | None = None
    """The group of what is uploaded."""
    mode: Mode | None = None
    """The mode of uploaded files, in octal digits such as 0644; folders keep theirs."""
    generated: bool = False
    """Whether what is uploaded is made only during the build, so that it need not exist before."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        one_of(self, "source", "sources", "content")
        if self.direction == "download":
            for name in ("content", "owner", "group", "mode"):
                if getattr(self, name) is not None:
                    raise wrong(f"'{name}' makes no sense with 'direction: download'")
        return self

    def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what is uploaded."""
        if self.direction == "download" or self.generated:
            return
        if self.source is not None:
            yield ("source",), self.source
        for place, source in enumerate(self.sources or ()):
            yield ("sources", place), source
