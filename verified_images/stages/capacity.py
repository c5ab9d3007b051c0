"""Whether the location has the sizes that a build asks for, and the subscription the quota."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from verified_images.cloud.sizes import Size, Usage
    from verified_images.stages.source import PinnedSource
    from verified_images.templates.model import Builder, Template


def sizes_wanted(template: Template) -> Mapping[str, int]:
    """Return how many machines of each size exist at once: a stopped build VM counts towards the quota too."""
    wanted = Counter({template.builder.vm_size: 1})
    wanted[template.smoke.vm_size or template.builder.vm_size] += template.smoke.instances
    return wanted


def size_problems(template: Template, sizes: Mapping[str, Size]) -> Iterator[str]:
    """Yield a sentence for each size that the location does not offer to this subscription."""
    location = template.builder.location
    keys = {template.builder.vm_size: "builder.vm_size"}
    keys.setdefault(template.smoke.vm_size or template.builder.vm_size, "smoke.vm_size")
    for name, key in keys.items():
        size = sizes.get(name.lower())
        if size is None:
            names = [known.name for known in sizes.values()]
            nearest = difflib.get_close_matches(name, names, n=1)
            advice = f"; did you mean {nearest[0]}?" if nearest else ""
            yield f"{key}: '{location}' does not offer {name}{advice}"
        elif size.restriction:
            yield f"{key}: this subscription cannot use {name} in '{location}' ({size.restriction})"


def source_problems(
    template: Template, sizes: Mapping[str, Size], source: PinnedSource, security_type: str | None
) -> Iterator[str]:
    """Yield a sentence for each size that cannot boot an image like the source, and so not the one made from it."""
    for name in sizes_wanted(template):
        if (size := sizes.get(name.lower())) is None:
            continue
        if source.generation not in size.generations:
            yield f"{name} boots {' and '.join(size.generations)}, but {source.description} is {source.generation}"
        if size.architecture != source.architecture:
            yield f"{name} is {size.architecture}, but {source.description} is for {source.architecture}"
        if security_type == "TrustedLaunch" and size.has("TrustedLaunchDisabled"):
            yield f"builder.security_type: {name} cannot do TrustedLaunch"
        yield from _disk_problems(template.builder, size)


def quota_problems(template: Template, sizes: Mapping[str, Size], usages: Mapping[str, Usage]) -> Iterator[str]:
    """Yield a sentence for each quota of vCPUs that the build VM and the scale set together would exceed."""
    needed: Counter[str] = Counter()
    for name, count in sizes_wanted(template).items():
        if size := sizes.get(name.lower()):
            needed["cores"] += size.cores * count
            needed[size.family.lower()] += size.cores * count
    for quota, cores in needed.items():
        usage = usages.get(quota)
        if usage and usage.used + cores > usage.limit:
            yield (
                f"the quota '{usage.title}' in '{template.builder.location}' is {usage.limit} and {usage.used} are "
                f"used, but the build needs {cores} more; ask Azure for more, or use smaller or fewer machines"
            )


def _disk_problems(builder: Builder, size: Size) -> Iterator[str]:
    if builder.os_disk_type.startswith("Premium") and not size.has("PremiumIO"):
        yield f"builder.os_disk_type: {size.name} cannot use {builder.os_disk_type}"
