"""The ``post_processors`` of a template: what is done here, where the run is, once the image is published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from verified_images.templates.base import TemplateModel
from verified_images.templates.fields import Environment, FrozenDict, Text, Texts, one_of


class Manifest(TemplateModel):
    """Add a record of the published image to a JSON file."""

    output: str = "packer-manifest.json"
    """The file, relative to the template's folder."""
    custom_data: Mapping[str, Text] = Field(default_factory=FrozenDict)
    """Names and values that the record holds too."""


class Checksum(TemplateModel):
    """Write checksums of the image's files; an image in Azure has none, so that there is nothing to write."""

    checksum_types: tuple[Literal["md5", "sha1", "sha224", "sha256", "sha384", "sha512"], ...] = ("md5",)
    """The algorithms."""
    output: str = "packer_{{.BuildName}}_{{.BuilderType}}_{{.ChecksumType}}.checksum"
    """The file, relative to the template's folder."""


class ShellLocal(TemplateModel):
    """Run commands or scripts here, not on the machine."""

    inline: Texts | None = None
    """Commands that run one after the other as one script, which ends at the first that fails."""
    script: str | None = None
    """A script beside the template."""
    scripts: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Scripts beside the template, run in this order."""
    env: Environment = Field(default_factory=FrozenDict)
    """Environment variables of the commands; values may hold secrets."""
    interpreter: Annotated[tuple[str, ...], Field(min_length=1)] = ("/bin/sh", "-e")
    """The program that runs the commands, and its arguments before the script's path."""
    valid_exit_codes: Annotated[tuple[Annotated[int, Field(ge=0, le=255)], ...], Field(min_length=1)] = (0,)
    """The exit codes that mean success."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        one_of(self, "inline", "script", "scripts")
        return self


class PostProcessor(TemplateModel):
    """One thing to do once the image is published; exactly one of the keys."""

    manifest: Manifest | None = None
    """Add a record of the published image to a JSON file."""
    checksum: Checksum | None = None
    """Write checksums of the image's files."""
    shell_local: ShellLocal | None = None
    """Run commands or scripts here."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        one_of(self, *type(self).model_fields)
        return self
