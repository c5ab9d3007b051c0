"""The tags of Azure's resources, as a template gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.templates.base import wrong
from verified_images.templates.fields import FrozenDict

if TYPE_CHECKING:
    from collections.abc import Mapping

# Azure allows 50 tags on a resource; the run and the verdict need some of them.
_MOST_TAGS = 35
_LONGEST_TAG_NAME = 512
_LONGEST_TAG_VALUE = 256
_RESERVED_TAGS = ("vi-", "microsoft", "azure", "windows")


def check_tags(tags: Mapping[str, str]) -> FrozenDict:
    """Return the tags if Azure takes them, beside those of the run."""
    if len(tags) > _MOST_TAGS:
        raise wrong(f"{len(tags)} tags are too many: {_MOST_TAGS} are possible beside those of the run")
    for name, value in tags.items():
        if not 0 < len(name) <= _LONGEST_TAG_NAME or any(character in r"<>%&\?/" for character in name):
            raise wrong(f"the tag name {name!r} is not allowed: 1 to {_LONGEST_TAG_NAME} characters, none of <>%&\\?/")
        if name.lower().startswith(_RESERVED_TAGS):
            raise wrong(f"the tag name {name!r} is reserved: it begins with one of {', '.join(_RESERVED_TAGS)}")
        if len(value) > _LONGEST_TAG_VALUE:
            raise wrong(f"the value of the tag {name!r} is longer than {_LONGEST_TAG_VALUE} characters")
    if len({name.lower() for name in tags}) < len(tags):
        raise wrong("two tags have the same name; Azure does not tell upper from lower case in it")
    return FrozenDict(tags)
