"""Whether a location has the sizes that a build asks for there, and the subscription the quota."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.stages.security import size_security_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from verified_images.cloud.sizes import Size, Usage
    from verified_images.stages.ladder import Rung
    from verified_images.stages.source import PinnedSource
    from verified_images.templates.model import Builder, Template


@dataclass(frozen=True, slots=True)
class Machines:
    """The machines that exist at once: the build VM at one rung, and the scale set's instances at another."""

    template: Template
    build: Rung
    smoke: Rung

    @property
    def keys(self) -> Mapping[str, str]:
        """The key of the template that each size comes from."""
        keys = {self.build.vm_size: "builder.vm_size"}
        keys.setdefault(self.smoke.vm_size, "smoke.vm_size")
        return keys

    @property
    def counts(self) -> Mapping[str, int]:
        """How many machines of each size there are at once: a stopped build VM counts towards the quota too."""
        counts = Counter({self.build.vm_size: 1})
        counts[self.smoke.vm_size] += self.template.smoke.instances
        return counts


def size_problems(machines: Machines, sizes: Mapping[str, Size]) -> Iterator[str]:
    """Yield a sentence for each size that the location does not offer to this subscription."""
    location = machines.build.location
    for name, key in machines.keys.items():
        size = sizes.get(name.lower())
        if size is None:
            names = [known.name for known in sizes.values()]
            nearest = difflib.get_close_matches(name, names, n=1)
            advice = f"; did you mean {nearest[0]}?" if nearest else ""
            yield f"{key}: '{location}' does not offer {name}{advice}"
        elif size.restriction:
            yield f"{key}: this subscription cannot use {name} in '{location}' ({size.restriction})"
    yield from dict.fromkeys(
        f"{key}: zone {rung.zone} of '{location}' has no {size.name} for this subscription; {_zones(size)}"
        for key, rung in (("builder.zone", machines.build), ("smoke.zone", machines.smoke))
        if rung.zone and (size := sizes.get(rung.vm_size.lower())) and rung.zone not in size.zones
    )


def source_problems(
    machines: Machines, sizes: Mapping[str, Size], source: PinnedSource, security_type: str | None
) -> Iterator[str]:
    """Yield a sentence for each size that cannot boot an image like the source, and so not the one made from it."""
    for name in machines.counts:
        if (size := sizes.get(name.lower())) is None:
            continue
        if source.generation not in size.generations:
            yield f"{name} boots {' and '.join(size.generations)}, but {source.description} is {source.generation}"
        if size.architecture != source.architecture:
            yield f"{name} is {size.architecture}, but {source.description} is for {source.architecture}"
        yield from size_security_problems(security_type, size)
        yield from _disk_problems(machines.template.builder, size)


def quota_problems(machines: Machines, sizes: Mapping[str, Size], usages: Mapping[str, Usage]) -> Iterator[str]:
    """Yield a sentence for each quota of vCPUs that the build VM and the scale set together would exceed."""
    for quota, cores in _cores_needed(machines, sizes).items():
        usage = usages.get(quota)
        if usage and usage.used + cores > usage.limit:
            yield (
                f"the quota '{usage.title}' in '{machines.build.location}' is {usage.limit} and {usage.used} are "
                f"used, but the build needs {cores} more; ask Azure for more, or use smaller or fewer machines"
            )


def _cores_needed(machines: Machines, sizes: Mapping[str, Size]) -> Mapping[str, int]:
    """Return the vCPUs by the lower-case name of the quota that counts them; spot machines have one of their own."""
    needed: Counter[str] = Counter()
    spot = machines.template.builder.spot is not None
    for rung, count, is_spot in ((machines.build, 1, spot), (machines.smoke, machines.template.smoke.instances, False)):
        if size := sizes.get(rung.vm_size.lower()):
            for quota in ("lowprioritycores",) if is_spot else ("cores", size.family.lower()):
                needed[quota] += size.cores * count
    return needed


def _zones(size: Size) -> str:
    return f"it has it in {', '.join(size.zones)}" if size.zones else "it has it in no zone"


def _disk_problems(builder: Builder, size: Size) -> Iterator[str]:
    if builder.os_disk_type.startswith("Premium") and not size.has("PremiumIO"):
        yield f"builder.os_disk_type: {size.name} cannot use {builder.os_disk_type}"
