"""The options of Packer's azure-arm builder, made into the builder and the image target of a template."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from pydantic import SecretStr

from verified_images.templates.fields import reveal
from verified_images.templates.model import LOCATION_OF_RESOURCE_GROUP
from verified_images.templates.packer.azure_arm_options import BLOCKS, OPTIONS
from verified_images.templates.packer.azure_arm_rules import check_together
from verified_images.templates.packer.draft import Draft
from verified_images.templates.packer.files import read_named_file
from verified_images.templates.packer.values import Options, blocks_of, read_options

if TYPE_CHECKING:
    from verified_images.templates.packer.files import Folders
    from verified_images.templates.packer.findings import Findings, Section
    from verified_images.templates.problems import KeyPath

REQUIRED: dict[KeyPath, str] = {
    tuple(option.to.split(".")): name for table in (OPTIONS, *BLOCKS.values()) for name, option in table.items()
}
"""The names of the options by the keys that they go to."""

_SOURCE_OPTIONS = ("image_publisher", "custom_managed_image_name", "image_url", "shared_image_gallery")
_SOURCES = {
    "name": {"name": "custom_managed_image_name", "resource_group": "custom_managed_image_resource_group_name"},
    "gallery": {"gallery": "gallery_name", "definition": "image_name", "resource_group": "resource_group"},
    "publisher": {"publisher": "image_publisher", "offer": "image_offer", "sku": "image_sku"},
}

_GALLERY_ID = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Compute/galleries/([^/]+)/images/([^/]+)"
    r"(?:/versions/([^/]+))?",
    re.IGNORECASE,
)
# Without these, what else is said of a target has no effect.
_NEEDED = {
    "managed": ("managed_image_name", "managed_image_resource_group_name"),
    "vhd": ("capture_container_name", "storage_account"),
    "gallery": ("shared_image_gallery_destination",),
}
_NO_TARGET = (
    "a target is needed: managed_image_name with managed_image_resource_group_name, shared_image_gallery_destination, "
    "or capture_container_name with storage_account and resource_group_name"
)
_NO_SOURCE = (
    "a source is needed: image_publisher, image_offer and image_sku, custom_managed_image_name, shared_image_gallery "
    "or image_url"
)


def map_builder(section: Section, folders: Folders, findings: Findings) -> Draft:
    """Return the ``builder`` and ``image`` of a template, from the rendered options of an azure-arm builder."""
    options = read_options(section, OPTIONS, findings, "azure-arm")
    check_together(options, findings)
    mapping = _Mapping(options, Draft(section.path), findings, folders)
    mapping.plain(options)
    mapping.source()
    mapping.targets()
    mapping.machine()
    mapping.network()
    mapping.tags()
    mapping.data("custom_data")
    mapping.data("user_data")
    return mapping.draft


def name_option(draft: Draft, key_path: KeyPath) -> str:
    """Return the name of the option that goes to a key, be it one of those that make up the source."""
    if key_path[:2] == ("builder", "source"):
        source = draft.get("builder.source") or {}
        kind = "gallery" if source.keys() & {"gallery", "definition"} else "name" if "name" in source else "publisher"
        return _SOURCES[kind].get(str(key_path[-1]), str(key_path[-1]))
    return REQUIRED.get(key_path, str(key_path[-1]))


class _Mapping:
    """Fills a draft with what the options say."""

    def __init__(self, options: Options, draft: Draft, findings: Findings, folders: Folders) -> None:
        self.draft = draft
        self._options = options
        self._findings = findings
        self._folders = folders

    def plain(self, options: Options, table: str | None = None) -> None:
        """Put the options that have a key of their own under it, blocks of such options too."""
        known = OPTIONS if table is None else BLOCKS[table]
        for name, value in options:
            path = (*options.path, name)
            if self._findings.is_spoilt(path):
                continue
            if known[name].to:
                self.draft.set(known[name].to, value, path)
            elif name in _WHOLE:
                block = self._block(name, value, path)
                if name == "shared_image_gallery_destination" and not block.has("gallery_name"):
                    self._findings.warn(path, "this has no effect without 'gallery_name'")
                else:
                    self.draft.set(_WHOLE[name], {}, path)
                    self.plain(block, name)
            elif name in {"replication_regions", "target_region"}:
                self._regions(options)

    def source(self) -> None:
        """Put together the source."""
        options = self._options
        named = {name: options.get(f"image_{name}") for name in ("publisher", "offer", "sku", "version")}
        marketplace = {name: value for name, value in named.items() if value is not None}
        for name, value in marketplace.items():
            if name != "version" or len(marketplace) > 1:
                self.draft.set(f"builder.source.{name}", value, (*options.path, f"image_{name}"))
        self._set_source("custom_managed_image_name", "name")
        self._set_source("custom_managed_image_resource_group_name", "resource_group")
        self._set_source("image_url", "uri")
        self._gallery_source()
        if not options.has(*_SOURCE_OPTIONS):
            self._findings.lacks(options.path, _NO_SOURCE + self._findings.empty_in(options.path, _SOURCE_OPTIONS))
        found = [name for name in _SOURCE_OPTIONS if options.get(name) is not None]
        for name in found[1:]:
            self._findings.error((*options.path, name), f"one source is needed, not several: here is '{found[0]}' too")
        if len(found) != 1 or self._findings.holds_spoilt((*options.path, "shared_image_gallery")):
            self.draft.drop("builder.source")

    def targets(self) -> None:
        """Leave out targets that are not asked for."""
        options, image = self._options, self.draft.data.setdefault("image", {})
        for target, needed in _NEEDED.items():
            # A gallery is asked for by a block, which is here if it names one.
            if target == "vhd" and (image.keys() - {"vhd"}) & _NEEDED.keys():
                needed = needed[:1]  # noqa: PLW2901 - Packer makes a VHD beside another target only of a container
            if target not in image or (options.has(*needed) and (target != "gallery" or "gallery" in image[target])):
                continue
            for name, _ in options:
                if OPTIONS[name].to.startswith(f"image.{target}."):
                    self._findings.warn((*options.path, name), f"this has no effect without '{needed[0]}'")
            self.draft.drop(f"image.{target}")
        gallery = image.get("gallery")
        if gallery is not None and "version" not in gallery:
            path = (*options.path, "shared_image_gallery_destination")
            self._findings.warn(path, "no image_version is given, so that the next patch number is taken")
        if not image.get("skip") and not image.keys() & _NEEDED.keys():
            needed_options = [name for names in _NEEDED.values() for name in names]
            if not any(self._findings.holds_spoilt((*options.path, name)) for name in needed_options):
                self._findings.lacks(options.path, _NO_TARGET + self._findings.empty_in(options.path, needed_options))
            self.draft.set("image.skip", True, options.path)  # noqa: FBT003 - the model need not say it again

    def machine(self) -> None:
        """Put together what kind of machine it is, with the defaults of Packer."""
        options, draft = self._options, self.draft
        for option, key, known in (
            ("os_type", "builder.os_type", {"linux": "Linux", "windows": "Windows"}),
            ("communicator", "builder.communicator", {"ssh": "ssh", "winrm": "winrm"}),
        ):
            text = options.get(option)
            if text is not None and text.lower() in known:
                draft.set(key, known[text.lower()], (*options.path, option))
            elif text is not None:
                self._findings.error((*options.path, option), f"{' or '.join(known)} is needed, not {text!r}")
        if not options.has("vm_size"):
            draft.set("builder.vm_size", "Standard_A1", options.path)
            self._findings.warn(options.path, "no vm_size is given, so that Packer's default is taken, Standard_A1")
        if not options.has("managed_image_storage_account_type"):
            draft.set("builder.os_disk_type", "Standard_LRS", options.path)
        if not options.has("location"):
            self._place_by_group()

    def _place_by_group(self) -> None:
        """Take the location of the group that is built in."""
        options, draft = self._options, self.draft
        if options.get("build_resource_group_name") is not None:
            path = (*options.path, "build_resource_group_name")
            draft.set("builder.location", LOCATION_OF_RESOURCE_GROUP, path)
            return
        draft.set("builder.location", "westeurope", options.path)  # so that nothing more is said of it
        if not options.has("build_resource_group_name"):
            beside = "is required, or 'build_resource_group_name', a group whose location is taken"
            empty = self._findings.empty_in(options.path, ("location", "build_resource_group_name"))
            self._findings.lacks(options.path, f"the option 'location' {beside}{empty}")

    def network(self) -> None:
        """Put together the network: an existing one has a public address only if it is asked for."""
        options = self._options
        if options.has("virtual_network_name"):
            public = bool(options.get("private_virtual_network_with_public_ip"))
            self.draft.set("builder.public_ip", public, (*options.path, "virtual_network_name"))
        elif options.get("private_virtual_network_with_public_ip"):
            path = (*options.path, "private_virtual_network_with_public_ip")
            self._findings.warn(path, "this has no effect without 'virtual_network_name'")
        sku = options.get("public_ip_sku")
        if sku is not None:
            self.draft.set("builder.public_ip_sku", sku.capitalize(), (*options.path, "public_ip_sku"))

    def tags(self) -> None:
        """Put the tags on everything: what is temporary and what is published."""
        options = self._options
        tags = dict(options.get("azure_tags") or {})
        path = (*options.path, "azure_tags")
        for block in blocks_of(options.get("azure_tag"), (*options.path, "azure_tag")):
            path = block.path
            tag = read_options(block, BLOCKS["azure_tag"], self._findings, "azure_tag")
            if tag.get("name") is None:
                self._findings.requires(block.path, "name")
            else:
                tags[tag.get("name")] = tag.get("value") or ""
        if tags:
            self.draft.set("image.tags", tags, path)
            self.draft.set("builder.tags", tags, path)

    def data(self, name: str) -> None:
        """Decode custom or user data, or read their file."""
        options = self._options
        if options.has(name) and options.has(f"{name}_file"):
            self._findings.error((*options.path, f"{name}_file"), f"here is '{name}' too; one of both is needed")
        elif (encoded := options.get(name)) is not None:
            path = (*options.path, name)
            try:
                content = base64.b64decode(reveal(encoded).replace("\n", ""), validate=True)
            except (binascii.Error, ValueError):
                self._findings.error(path, f"Base64 is needed here; or name a file with the text in '{name}_file'")
                return
            self._put_data(name, content, path, secret=isinstance(encoded, SecretStr))
        elif (file := options.get(f"{name}_file")) is not None:
            path = (*options.path, f"{name}_file")
            found = read_named_file(self._folders, file)
            if isinstance(found, str):
                self._findings.error(path, found)
            else:
                self._put_data(name, found, path)

    def _put_data(self, name: str, content: bytes, path: KeyPath, *, secret: bool = False) -> None:
        try:
            text = content.decode()
        except UnicodeDecodeError:
            self._findings.error(path, "the data are not UTF-8 text; give cloud-init its text uncompressed")
            return
        self.draft.set(f"builder.{name}", SecretStr(text) if secret else text, path)

    def _set_source(self, option: str, key: str) -> None:
        if (value := self._options.get(option)) is not None:
            self.draft.set(f"builder.source.{key}", value, (*self._options.path, option))

    def _gallery_source(self) -> None:
        value = self._options.get("shared_image_gallery")
        path = (*self._options.path, "shared_image_gallery")
        if value is None:
            return
        self.draft.set("builder.source", {}, path)
        gallery = self._block("shared_image_gallery", value, path)
        for name in ("community_gallery_image_id", "direct_shared_gallery_image_id"):
            if gallery.get(name) is not None:
                self._findings.error(
                    (*path, name),
                    "images of community galleries and of galleries that are shared directly cannot be built from; "
                    "name the image definition in its own gallery",
                )
        parts = ("subscription", "resource_group", "gallery_name", "image_name", "image_version")
        values = {name: gallery.get(name) for name in parts}
        if (image_id := gallery.get("id")) is not None:
            match = _GALLERY_ID.fullmatch(image_id)
            if match is None:
                message = "this is not the id of an image definition or version in a gallery"
                self._findings.error((*path, "id"), message)
                return
            values = dict(zip(parts, match.groups(), strict=True))
        keys = ("subscription", "resource_group", "gallery", "definition", "version")
        for (name, part), key in zip(values.items(), keys, strict=True):
            if part is not None:
                self.draft.set(f"builder.source.{key}", part, (*path, name))

    def _regions(self, options: Options) -> None:
        """Put together the regions of a gallery version, among which Packer counts the build's own."""
        blocks = blocks_of(options.get("target_region"), (*options.path, "target_region"))
        targets = [read_options(block, BLOCKS["target_region"], self._findings, "target_region") for block in blocks]
        location = self._options.get("location")
        regions = [*(options.get("replication_regions") or ()), *(target.get("name") for target in targets)]
        names = [region.replace(" ", "").lower() for region in (location, *regions) if region is not None]
        path = (*options.path, "replication_regions" if options.has("replication_regions") else "target_region")
        self.draft.set("image.gallery.regions", list(dict.fromkeys(names)), path)
        special = [
            {
                "name": target.get("name"),
                "replicas": target.get("replicas"),
                "disk_encryption_set": target.get("disk_encryption_set_id"),
            }
            for target in targets
            if target.has("replicas", "disk_encryption_set_id")
        ]
        if special:
            self.draft.set("image.gallery.target_regions", special, (*options.path, "target_region"))

    def _block(self, name: str, value: object, path: KeyPath) -> Options:
        (section,) = blocks_of(value, path)
        return read_options(section, BLOCKS[name], self._findings, name)


_WHOLE = {"spot": "builder.spot", "plan_info": "builder.plan", "shared_image_gallery_destination": "image.gallery"}
