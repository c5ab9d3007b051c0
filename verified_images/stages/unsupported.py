"""What a template can say that no stage does yet: refused before anything is created, never ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from verified_images.templates.model import Template

WINDOWS = (
    "builder.os_type: machines with Windows are read and checked, but not built: a run of this template ends in its "
    "preflight"
)
"""What a preflight says of a template for Windows."""


def unsupported_problems(template: Template) -> Iterator[str]:
    """Name every option of the template that is set to something which no stage honours."""
    if template.builder.os_type == "Windows":
        yield WINDOWS
    else:
        yield from _changed("builder", template.builder, ("communicator",))


def _changed(path: str, model: BaseModel, names: tuple[str, ...]) -> Iterator[str]:
    fields = type(model).model_fields
    for name in names:
        if getattr(model, name) != fields[name].get_default(call_default_factory=True):
            yield f"{path}.{name}: this option is not supported yet; remove it".lstrip(".")
