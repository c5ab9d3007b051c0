"""The ``matrix`` of a native template: variables with several values each, and the images that come of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ValidationError

from verified_images.naming import clean_name
from verified_images.templates.base import TemplateModel
from verified_images.templates.nearest import did_you_mean

if TYPE_CHECKING:
    from verified_images.templates.problems import Problems

_MOST_IMAGES = 256

Values = Annotated[tuple[str, ...], Field(min_length=1)]
Matrix = Mapping[str, Values] | Annotated[tuple[Mapping[str, str], ...], Field(min_length=1)]
"""``{name: [value, ...]}`` for every combination, or ``[{name: value, ...}, ...]`` for these alone."""


class _Section(TemplateModel):
    matrix: Matrix | None = None


class Row(dict[str, str]):
    """The variables of one image, by name."""

    @property
    def ending(self) -> str:
        """What tells the image's name from those of the other rows."""
        return clean_name("-".join(self.values()))


def read_matrix(section: object, problems: Problems, given: Mapping[str, str]) -> tuple[Row, ...]:
    """Return the rows of a template's ``matrix``; one without variables for a template that has none.

    Of a variable that is ``given`` a value from outside, only the rows with this value are left.
    """
    if section is None:
        return (Row(),)
    try:
        matrix = _Section.model_validate({"matrix": section}).matrix
    except ValidationError:
        problems.add(
            ("matrix",), "a mapping of names to lists of values is needed, or a list of mappings of names to values"
        )
        return ()
    if isinstance(matrix, Mapping):
        rows = [Row(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]
    else:
        rows = [Row(row) for row in matrix or ()]
    if len(rows) > _MOST_IMAGES:
        problems.add(("matrix",), f"{len(rows)} images are too many: {_MOST_IMAGES} are possible")
        return ()
    if any(set(row) != set(rows[0]) for row in rows):
        problems.add(("matrix",), "every row must give the same variables")
    if len({row.ending for row in rows}) < len(rows):
        problems.add(("matrix",), "two rows would give images of the same name")
    return _chosen(rows, problems, given)


def _chosen(rows: list[Row], problems: Problems, given: Mapping[str, str]) -> tuple[Row, ...]:
    for name in rows[0]:
        if name in given:
            values = dict.fromkeys(row.get(name, "") for row in rows)
            rows = [row for row in rows if row.get(name) == given[name]]
            if not rows:
                message = f"no row has {name}={given[name]}, which is asked for{did_you_mean(given[name], values)}"
                problems.add(("matrix",), message)
                return ()
    return tuple(rows)
