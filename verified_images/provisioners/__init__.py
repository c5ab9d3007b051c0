"""Provisioners: what a template does to the build machine, one file per kind."""

from verified_images.provisioners.context import ProvisionContext
from verified_images.provisioners.run import run_provisioners

__all__ = ["ProvisionContext", "run_provisioners"]
