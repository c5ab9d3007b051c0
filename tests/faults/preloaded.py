"""What the sessions of the matrices have in common: imported once, by the process that they are forked from."""

import azure.identity
import azure.mgmt.compute
import azure.mgmt.network
import azure.mgmt.resource.resources
import azure.mgmt.resource.resources.models

import verified_images.commands.reap
import verified_images.pipeline
import verified_images.templates.native

__all__ = ["azure", "verified_images"]
