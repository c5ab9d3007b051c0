"""What a user writes, as one frozen value: every kind of template is loaded into this model."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from verified_images.templates.base import TemplateModel
from verified_images.templates.builder import Builder, Plan
from verified_images.templates.fields import reveal
from verified_images.templates.file import FileProvisioner
from verified_images.templates.provisioners import AnyProvisioner, Provisioner
from verified_images.templates.shell import ShellProvisioner
from verified_images.templates.sources import GalleryImage, ManagedImage, MarketplaceImage, Source, VhdImage
from verified_images.templates.targets import GalleryTarget, ImageTarget, ManagedTarget, Smoke

__all__ = [
    "Builder",
    "FileProvisioner",
    "GalleryImage",
    "GalleryTarget",
    "ImageTarget",
    "ManagedImage",
    "ManagedTarget",
    "MarketplaceImage",
    "Plan",
    "Provisioner",
    "ShellProvisioner",
    "Smoke",
    "Source",
    "Template",
    "Variable",
    "VhdImage",
    "reveal",
]


class Variable(TemplateModel):
    """A variable that a template declares; its value is not kept here."""

    name: str
    """The name, as in {{ var.name }}."""
    secret: bool = False
    """Whether its value is masked wherever text is shown."""
    required: bool = False
    """Whether it has neither a default nor an environment variable."""
    description: str | None = None
    """What it is for."""


class Template(TemplateModel):
    """One image: how it is built, provisioned and tested, and where it goes."""

    name: str
    """The spec's name, which is that of its folder."""
    file: Path
    """The template's file; the paths in it are relative to its folder."""
    builder: Builder
    """The virtual machine that is provisioned, tested and captured."""
    provisioners: tuple[AnyProvisioner, ...] = ()
    """What is done to the machine, in this order."""
    image: ImageTarget
    """Where the image goes."""
    smoke: Smoke = Smoke()
    """The throwaway scale set that is tested before anything is published."""
    variables: tuple[Variable, ...] = ()
    """The variables that the template declares."""
    secrets: tuple[SecretStr, ...] = Field(default=(), repr=False)
    """Every secret value that went into the template, longest first, so that output can be masked."""

    @field_validator("provisioners")
    @classmethod
    def _place(
        cls,
        provisioners: tuple[Provisioner, ...],
        info: ValidationInfo,
    ) -> tuple[Provisioner, ...]:
        """Number the provisioners; the lines come with the validation's context, from whoever read the file."""
        lines = (info.context or {}).get("provisioner_lines", {})
        return tuple(
            provisioner.placed(place + 1, lines.get(place, provisioner.line))
            for place, provisioner in enumerate(provisioners)
        )
