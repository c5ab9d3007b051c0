"""Microsoft.Compute: machines, disks, images, galleries and scale sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.compute import skus, usages
from verified_images.emulator.compute.availability_sets import AvailabilitySets
from verified_images.emulator.compute.capacity_reservations import CapacityReservationGroups, CapacityReservations
from verified_images.emulator.compute.dedicated_hosts import HostGroups, Hosts
from verified_images.emulator.compute.disks import access as disk_access
from verified_images.emulator.compute.disks.accesses import DiskAccesses
from verified_images.emulator.compute.disks.disks import Disks
from verified_images.emulator.compute.disks.encryption_sets import DiskEncryptionSets
from verified_images.emulator.compute.disks.frozen_files import remove_strays
from verified_images.emulator.compute.disks.snapshots import Snapshots
from verified_images.emulator.compute.guest_agent import extension_handlers, run_command_documents
from verified_images.emulator.compute.guest_agent.extensions import Extensions, InstanceExtensions
from verified_images.emulator.compute.guest_agent.run_commands import InstanceRunCommands, RunCommands
from verified_images.emulator.compute.images import marketplace
from verified_images.emulator.compute.images.galleries import Galleries, GalleryImages
from verified_images.emulator.compute.images.gallery_applications import GalleryApplications
from verified_images.emulator.compute.images.gallery_image_versions import GalleryImageVersions
from verified_images.emulator.compute.images.images import Images
from verified_images.emulator.compute.machines import boot_diagnostics
from verified_images.emulator.compute.machines.virtual_machines import VirtualMachines
from verified_images.emulator.compute.proximity_placement_groups import ProximityPlacementGroups
from verified_images.emulator.compute.restore_points import RestorePointCollections, RestorePoints
from verified_images.emulator.compute.scale_sets.scale_sets import ScaleSets
from verified_images.emulator.compute.ssh_public_keys import SshPublicKeys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.lifecycle import Kind
    from verified_images.emulator.routing import Route


def kinds() -> Iterator[Kind]:
    """Give the resource types of the namespace."""
    yield from (
        VirtualMachines(),
        Extensions(),
        RunCommands(),
        AvailabilitySets(),
        ProximityPlacementGroups(),
        SshPublicKeys(),
        ScaleSets(),
        InstanceExtensions(),
        InstanceRunCommands(),
        Disks(),
        Snapshots(),
        DiskEncryptionSets(),
        DiskAccesses(),
        HostGroups(),
        Hosts(),
        CapacityReservationGroups(),
        CapacityReservations(),
        RestorePointCollections(),
        RestorePoints(),
        Images(),
        Galleries(),
        GalleryImages(),
        GalleryImageVersions(),
        GalleryApplications(),
    )


def routes() -> Iterator[Route]:
    """Give the URL table beyond that of the resource types."""
    for module in (marketplace, usages, skus, run_command_documents, extension_handlers):
        yield from module.routes()
    yield from boot_diagnostics.blob_routes()
    yield from disk_access.blob_routes()


def recover(cloud: Cloud) -> None:
    """Bring what is outside the store back in step with it, after the local Azure was started again."""
    remove_strays(cloud)
