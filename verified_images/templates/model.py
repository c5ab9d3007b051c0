"""What a user writes, as one frozen value: every kind of template is loaded into this model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from verified_images.templates.ansible import AnsibleLocalProvisioner, AnsibleProvisioner
from verified_images.templates.base import TemplateModel
from verified_images.templates.breakpoint import BreakpointProvisioner
from verified_images.templates.builder import LOCATION_OF_RESOURCE_GROUP, Builder, Plan, Spot, VirtualNetwork
from verified_images.templates.chef import ChefClientProvisioner, ChefSoloProvisioner
from verified_images.templates.fields import FrozenDict, reveal
from verified_images.templates.file import FileProvisioner
from verified_images.templates.ladders import rungs_of
from verified_images.templates.post_processors import Checksum, Manifest, PostProcessor, ShellLocal
from verified_images.templates.provisioners import AnyProvisioner, Provisioner
from verified_images.templates.puppet import PuppetMasterlessProvisioner, PuppetServerProvisioner
from verified_images.templates.salt import SaltMasterlessProvisioner
from verified_images.templates.shell import ShellProvisioner
from verified_images.templates.shell_local import ShellLocalProvisioner
from verified_images.templates.sleep import SleepProvisioner
from verified_images.templates.sources import GalleryImage, ManagedImage, MarketplaceImage, Source, VhdImage
from verified_images.templates.targets import GalleryTarget, ImageTarget, ManagedTarget, Smoke, TargetRegion, VhdTarget
from verified_images.templates.timeouts import Timeouts
from verified_images.templates.windows import (
    PowershellProvisioner,
    WindowsRestartProvisioner,
    WindowsShellProvisioner,
    WindowsUpdateProvisioner,
)

__all__ = [
    "LOCATION_OF_RESOURCE_GROUP",
    "AnsibleLocalProvisioner",
    "AnsibleProvisioner",
    "BreakpointProvisioner",
    "Builder",
    "Checksum",
    "ChefClientProvisioner",
    "ChefSoloProvisioner",
    "FileProvisioner",
    "GalleryImage",
    "GalleryTarget",
    "ImageTarget",
    "ManagedImage",
    "ManagedTarget",
    "Manifest",
    "MarketplaceImage",
    "Plan",
    "PostProcessor",
    "PowershellProvisioner",
    "Provisioner",
    "PuppetMasterlessProvisioner",
    "PuppetServerProvisioner",
    "SaltMasterlessProvisioner",
    "ShellLocal",
    "ShellLocalProvisioner",
    "ShellProvisioner",
    "SleepProvisioner",
    "Smoke",
    "Source",
    "Spot",
    "TargetRegion",
    "Template",
    "Timeouts",
    "Variable",
    "VhdImage",
    "VhdTarget",
    "VirtualNetwork",
    "WindowsRestartProvisioner",
    "WindowsShellProvisioner",
    "WindowsUpdateProvisioner",
    "reveal",
    "rungs_of",
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
    timeouts: Timeouts = Timeouts()
    """How long each stage may take."""
    error_cleanup_provisioner: AnyProvisioner | None = None
    """What is done to the machine when one of the provisioners failed."""
    post_processors: tuple[PostProcessor, ...] = ()
    """What is done here once the image is published, in this order."""
    variables: tuple[Variable, ...] = ()
    """The variables that the template declares."""
    secrets: tuple[SecretStr, ...] = Field(default=(), repr=False)
    """Every secret value that went into the template, longest first, so that output can be masked."""
    secret_values: Mapping[str, SecretStr] = Field(default_factory=FrozenDict, repr=False)
    """The values of secret variables by name, where the loader knows them, so that a copy can name them instead."""

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
