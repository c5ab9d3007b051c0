"""What the security type of a build's machines asks of the source, of the sizes and of the gallery's definition.

Source: Azure, "Trusted Launch for Azure virtual machines" and "Azure Confidential VM options".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.cloud.galleries import ConfidentialEncryption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.cloud.sizes import Size
    from verified_images.templates.model import Template

TRUSTED, CONFIDENTIAL = "TrustedLaunch", "ConfidentialVM"
ALONE = (TRUSTED, CONFIDENTIAL)
"""Definitions with one of these take the images of such machines, and no others."""
_OF_THE_GUEST = "VMGuestStateOnly"


def definition_problems(security_type: str | None, taken: str | None) -> Iterator[str]:
    """Yield a sentence if a definition that has ``taken`` as its SecurityType refuses an image of such machines.

    An image of a machine with a security type holds the state of its firmware, which definitions that only *support*
    the type do not take.
    """
    if security_type in ALONE and taken != security_type:
        found = f" (it has {taken})" if taken else ""
        yield (
            f"image.gallery.definition: it takes no {security_type}{found}; make one with "
            f"SecurityType={security_type}, or build with builder.security_type Standard for one that supports both"
        )
    elif security_type not in ALONE and taken in ALONE:
        yield f"builder.security_type: image.gallery.definition takes {taken} only"


def source_security_problems(security_type: str | None, offered: str | None, description: str) -> Iterator[str]:
    """Yield a sentence if no machine of the security type can be made from a source with this SecurityType."""
    if offered in ALONE and security_type != offered:
        yield f"builder.security_type: the source {description} boots {offered} machines only"
    elif security_type == CONFIDENTIAL and "confidentialvm" not in (offered or "").lower():
        yield f"builder.security_type: the source {description} does not support {CONFIDENTIAL}"


def size_security_problems(security_type: str | None, size: Size) -> Iterator[str]:
    """Yield a sentence if the size cannot have the security type."""
    if security_type == TRUSTED and size.has("TrustedLaunchDisabled"):
        yield f"builder.security_type: {size.name} cannot do {TRUSTED}"
    if security_type == CONFIDENTIAL and not size.is_confidential:
        yield f"builder.security_type: {size.name} cannot do {CONFIDENTIAL}; sizes such as Standard_DC2as_v5 can"
    if security_type != CONFIDENTIAL and size.is_confidential:
        yield f"builder.security_type: {size.name} is for {CONFIDENTIAL} machines only"


def encryption_problems(template: Template, security_type: str | None) -> Iterator[str]:
    """Yield a sentence for each setting of confidential machines that does not agree with the others."""
    builder, gallery = template.builder, template.image.gallery
    wanted = gallery.confidential_vm_encryption if gallery else None
    if security_type != CONFIDENTIAL:
        if builder.security_encryption_type:
            yield f"builder.security_encryption_type: this is for the security_type {CONFIDENTIAL}"
        if wanted:
            yield f"image.gallery.confidential_vm_encryption: this is for the security_type {CONFIDENTIAL}"
        return
    if builder.secure_boot is False and builder.security_encryption_type == "DiskWithVMGuestState":
        yield "builder.secure_boot: DiskWithVMGuestState needs it"
    if builder.vtpm is False:
        yield f"builder.vtpm: {CONFIDENTIAL} needs it"
    if wanted == "EncryptedWithCmk" and builder.disk_encryption_set is None:
        yield "image.gallery.confidential_vm_encryption: EncryptedWithCmk needs builder.disk_encryption_set"


def machine_encryption(template: Template, security_type: str | None) -> str | None:
    """Return what is encrypted of the machines: at least the guest's state, if they are confidential."""
    return (template.builder.security_encryption_type or _OF_THE_GUEST) if security_type == CONFIDENTIAL else None


def image_encryption(template: Template, security_type: str | None) -> ConfidentialEncryption | None:
    """Return what is encrypted of the images of confidential machines: the same as of the machines, unless given."""
    of_machine, key = machine_encryption(template, security_type), template.builder.disk_encryption_set
    if of_machine is None:
        return None
    same = "EncryptedVMGuestStateOnlyWithPmk"
    if of_machine != _OF_THE_GUEST:
        same = "EncryptedWithCmk" if key else "EncryptedWithPmk"
    gallery = template.image.gallery
    return ConfidentialEncryption((gallery.confidential_vm_encryption if gallery else None) or same, key)
