"""The hooks that users of verified-images can implement in a conftest.py or a plugin of their own.

Each is called once a spec, when what it names is there and before anything else uses it. A hook that raises
fails the stage that called it. The hooks of a conftest.py in a spec's folder are called for that spec alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host

    from verified_images.stages.capture import CapturedImage
    from verified_images.stages.machine import Machine
    from verified_images.stages.publish import PublishedImage
    from verified_images.stages.scale_set import ScaleSet

PREFIX = "pytest_verified_images_"
"""What the names of all of them begin with."""


def pytest_verified_images_machine_ready(vm: Machine, host: Host) -> None:
    """Do something with the build VM: every provisioner has run, no test has."""


def pytest_verified_images_image_captured(image: CapturedImage) -> None:
    """Do something with the candidate image: the machine's tests have passed, nothing is deployed from it yet."""


def pytest_verified_images_scale_set_ready(scale_set: ScaleSet) -> None:
    """Do something with the scale set: every instance serves, no test has run on it."""


def pytest_verified_images_published(image: PublishedImage) -> None:
    """Do something with the published image: every test has passed and others can use it from now on."""
