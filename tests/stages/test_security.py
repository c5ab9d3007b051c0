"""Security types agree with sources, sizes and definitions, or the preflight says what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.local_azure import BUILDER, GALLERY, make_template
from verified_images.cloud.galleries import ConfidentialEncryption
from verified_images.cloud.sizes import Size
from verified_images.stages.security import (
    definition_problems,
    encryption_problems,
    image_encryption,
    machine_encryption,
    size_security_problems,
    source_security_problems,
)

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.templates.model import Template

BOTH = "TrustedLaunchAndConfidentialVmSupported"
KEY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/diskEncryptionSets/des"


@pytest.mark.parametrize(
    ("security_type", "taken", "problem"),
    [
        (None, None, ""),
        ("Standard", "TrustedLaunchSupported", ""),
        (None, BOTH, ""),
        ("TrustedLaunch", "TrustedLaunch", ""),
        ("ConfidentialVM", "ConfidentialVM", ""),
        ("TrustedLaunch", None, "it takes no TrustedLaunch; make one with SecurityType=TrustedLaunch"),
        ("TrustedLaunch", "TrustedLaunchSupported", "it takes no TrustedLaunch (it has TrustedLaunchSupported)"),
        ("ConfidentialVM", BOTH, f"it takes no ConfidentialVM (it has {BOTH})"),
        (None, "TrustedLaunch", "takes TrustedLaunch only"),
        ("Standard", "ConfidentialVM", "takes ConfidentialVM only"),
    ],
)
def test_a_definition_takes_the_images_of_some_machines(
    security_type: str | None, taken: str | None, problem: str
) -> None:
    found = list(definition_problems(security_type, taken))
    assert len(found) == bool(problem)
    assert problem in "".join(found)


@pytest.mark.parametrize(
    ("security_type", "offered", "problem"),
    [
        (None, None, ""),
        ("TrustedLaunch", "TrustedLaunchSupported", ""),
        ("ConfidentialVM", "ConfidentialVmSupported", ""),
        ("ConfidentialVM", BOTH, ""),
        ("ConfidentialVM", "TrustedLaunchSupported", "does not support ConfidentialVM"),
        (None, "TrustedLaunch", "boots TrustedLaunch machines only"),
    ],
)
def test_a_source_boots_some_machines(security_type: str | None, offered: str | None, problem: str) -> None:
    found = list(source_security_problems(security_type, offered, "base"))
    assert len(found) == bool(problem)
    assert problem in "".join(found)


@pytest.mark.parametrize(
    ("security_type", "capabilities", "problem"),
    [
        ("ConfidentialVM", {"ConfidentialComputingType": "SNP"}, ""),
        ("ConfidentialVM", {}, "cannot do ConfidentialVM"),
        (None, {"ConfidentialComputingType": "TDX"}, "is for ConfidentialVM machines only"),
        ("TrustedLaunch", {"TrustedLaunchDisabled": "True"}, "cannot do TrustedLaunch"),
    ],
)
def test_a_size_has_some_security_types(security_type: str | None, capabilities: dict[str, str], problem: str) -> None:
    found = list(size_security_problems(security_type, Size("Standard_X", "x", capabilities)))
    assert len(found) == bool(problem)
    assert problem in "".join(found)


def template(folder: Path, builder: dict[str, Any], gallery: dict[str, Any] | None = None) -> Template:
    return make_template(folder, builder={**BUILDER, **builder}, image={"gallery": {**GALLERY, **(gallery or {})}})


@pytest.mark.parametrize(
    ("builder", "gallery", "of_machine", "of_image"),
    [
        ({}, {}, "VMGuestStateOnly", ConfidentialEncryption("EncryptedVMGuestStateOnlyWithPmk")),
        (
            {"security_encryption_type": "DiskWithVMGuestState"},
            {},
            "DiskWithVMGuestState",
            ConfidentialEncryption("EncryptedWithPmk"),
        ),
        (
            {"security_encryption_type": "DiskWithVMGuestState", "disk_encryption_set": KEY},
            {},
            "DiskWithVMGuestState",
            ConfidentialEncryption("EncryptedWithCmk", KEY),
        ),
        (
            {},
            {"confidential_vm_encryption": "EncryptedWithPmk"},
            "VMGuestStateOnly",
            ConfidentialEncryption("EncryptedWithPmk"),
        ),
    ],
)
def test_an_image_is_encrypted_as_its_machine_was(
    tmp_path: Path,
    builder: dict[str, Any],
    gallery: dict[str, Any],
    of_machine: str,
    of_image: ConfidentialEncryption,
) -> None:
    found = template(tmp_path, builder, gallery)
    assert machine_encryption(found, "ConfidentialVM") == of_machine
    assert image_encryption(found, "ConfidentialVM") == of_image
    assert image_encryption(found, None) is None
    assert list(encryption_problems(found, "ConfidentialVM")) == []


@pytest.mark.parametrize(
    ("security_type", "builder", "gallery", "problem"),
    [
        (None, {"security_encryption_type": "VMGuestStateOnly"}, {}, "builder.security_encryption_type: this is for"),
        (None, {}, {"confidential_vm_encryption": "EncryptedWithPmk"}, "confidential_vm_encryption: this is for"),
        ("ConfidentialVM", {"vtpm": False}, {}, "builder.vtpm: ConfidentialVM needs it"),
        ("ConfidentialVM", {}, {"confidential_vm_encryption": "EncryptedWithCmk"}, "needs builder.disk_encryption_set"),
    ],
)
def test_settings_that_do_not_agree_are_named(
    tmp_path: Path, security_type: str | None, builder: dict[str, Any], gallery: dict[str, Any], problem: str
) -> None:
    (found,) = encryption_problems(template(tmp_path, builder, gallery), security_type)
    assert problem in found
