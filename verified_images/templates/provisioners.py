"""The ``provisioners`` of a template: one class per kind, found by the one key of its mapping.

A new kind is a subclass of ``Provisioner`` with a ``kind`` and a one-sentence docstring; it needs no other
registration than being imported by ``model``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializeAsAny,
    TypeAdapter,
    create_model,
)

from verified_images.templates.base import TemplateModel, wrong
from verified_images.templates.fields import Seconds
from verified_images.templates.nearest import did_you_mean

_ENTRIES: dict[str, type[BaseModel]] = {}


class _Entry(TemplateModel):
    """The mapping ``{kind: {...}}`` of one provisioner."""

    # These are made at import, where looking for the docstrings that they do not have takes longer than all else.
    model_config = ConfigDict(use_attribute_docstrings=False)


class Provisioner(TemplateModel):
    """What every kind of provisioner has."""

    kind: ClassVar[str]
    """The kind's name in templates."""

    pause_before: Seconds = 0.0
    """How long to wait before it begins."""
    timeout: Seconds | None = None
    """How long one try may take; without it, as long as it likes."""
    max_retries: Annotated[int, Field(ge=0, le=100)] = 0
    """How often it is tried again after a failure."""

    _index: int = PrivateAttr(default=1)
    _line: int | None = PrivateAttr(default=None)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        if not hasattr(cls, "kind"):  # what several kinds have in common
            return
        _ENTRIES[cls.kind] = create_model(
            f"{cls.__name__}Entry",
            __base__=_Entry,
            __doc__=cls.__doc__,
            **{cls.kind: (cls, Field(description=cls.__doc__))},  # type: ignore[call-overload]
        )

    @property
    def index(self) -> int:
        """Its place among the template's provisioners, from 1."""
        return self._index

    @property
    def line(self) -> int | None:
        """Its line in the template's file, from 1; None if it was not read from one."""
        return self._line

    def placed(self, index: int, line: int | None = None) -> Self:
        """Return a copy that stands at ``index`` (from 1) and ``line`` of a template."""
        copy = self.model_copy()
        copy._index = index  # noqa: SLF001 - its own class
        copy._line = line  # noqa: SLF001 - its own class
        return copy

    def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the keys and the text of every path that must exist beside the template."""
        yield from ()


def provisioner_kinds() -> tuple[str, ...]:
    """Return the names of all kinds, sorted."""
    return tuple(sorted(_ENTRIES))


def read_provisioner(value: object) -> Provisioner:
    """Return the provisioner of a mapping ``{kind: {...}}``; a provisioner is returned as it is.

    Raises:
        ValidationError: the mapping is wrong.
    """
    return _READER.validate_python(value)


def _read_entry(value: object) -> Provisioner:
    if isinstance(value, Provisioner):
        return value
    if not isinstance(value, Mapping) or not value:
        raise wrong(f"a mapping with one key, the provisioner's kind, is needed: {', '.join(provisioner_kinds())}")
    if len(value) > 1:
        raise wrong(_several_keys(value))
    kind = next(iter(value))
    if kind not in _ENTRIES:
        raise wrong(f"unknown provisioner '{kind}'{did_you_mean(kind, _ENTRIES)}")
    provisioner: Provisioner = getattr(_ENTRIES[kind].model_validate(value), kind)
    return provisioner


def _several_keys(value: Mapping[str, object]) -> str:
    kind = next((key for key in value if key in _ENTRIES), None)
    if kind is not None and value[kind] is None:
        return f"the keys of '{kind}' must be indented more than '{kind}' itself"
    if "type" in value:
        return "a provisioner is written with its kind as the key, such as '- shell: {inline: [...]}', without 'type'"
    keys = ", ".join(f"'{key}'" for key in value)
    return f"each entry is one provisioner with one key, its kind; here are {keys}"


def entry_models() -> tuple[type[BaseModel], ...]:
    """Return the models of the mappings ``{kind: {...}}``, in the order of the kinds' names."""
    return tuple(_ENTRIES[kind] for kind in provisioner_kinds())


AnyProvisioner = Annotated[SerializeAsAny[Provisioner], BeforeValidator(_read_entry)]
"""A provisioner, or in a template the mapping ``{kind: {...}}``."""

_READER: TypeAdapter[Provisioner] = TypeAdapter(AnyProvisioner)
