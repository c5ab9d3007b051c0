"""A template in the making: values under the keys of the model, each with the place that it is from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.templates.problems import show_path, validation_problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import ValidationError

    from verified_images.templates.packer.findings import Findings, Place
    from verified_images.templates.problems import KeyPath


class Draft:
    """Collects the values; ``path`` is where the build stands in the Packer template."""

    def __init__(self, path: KeyPath) -> None:
        self.data: dict[str, Any] = {}
        self._origins: dict[KeyPath, KeyPath] = {(): path}

    def set(self, key: str | KeyPath, value: Any, origin: KeyPath) -> None:  # noqa: ANN401 - what templates hold
        """Put ``value`` under ``key``, such as builder.vm_size; it was written at ``origin``."""
        keys = tuple(key.split(".")) if isinstance(key, str) else key
        data: dict[str, Any] = self.data
        for step in keys[:-1]:
            data = data.setdefault(str(step), {})
        data[str(keys[-1])] = value
        self._origins[keys] = origin

    def get(self, key: str) -> Any:  # noqa: ANN401 - what templates hold
        """Return the value under ``key``, or None."""
        data: Any = self.data
        for step in key.split("."):
            data = data.get(step) if isinstance(data, dict) else None
        return data

    def drop(self, key: str) -> None:
        """Take away what is under a key of the first level or the second."""
        first, _, second = key.partition(".")
        if second and isinstance(self.data.get(first), dict):
            self.data[first].pop(second, None)

    def note(self, error: ValidationError, findings: Findings, name_option: Callable[[Draft, KeyPath], str]) -> None:
        """Note what the model found wrong, where the values are from.

        ``name_option`` gives the name of Packer's option for a key that is missing.
        """
        for key_path, message in validation_problems(error, self.data):
            if message != "this key is required":
                origin = self.origin(key_path)
                if not findings.is_spoilt(origin):
                    findings.error(origin, message)
                continue
            if key_path == ("builder", "source"):  # which the mapping has said, or why it has none
                continue
            around, name = self.origin(key_path[:-1]), name_option(self, key_path)
            # What is missing may stand beside what the key around it is from, in the build or in a block of it.
            if not any(findings.holds_spoilt((*path, name)) for path in (self._origins[()], around, around[:-1])):
                findings.requires(around, name)

    def origin(self, key_path: KeyPath) -> KeyPath:
        """Return where the value at ``key_path`` is from, or what is nearest to it."""
        length = next(length for length in range(len(key_path), -1, -1) if key_path[:length] in self._origins)
        rest = tuple(step for step in key_path[length:] if isinstance(step, int))
        return (*self._origins[key_path[:length]], *rest)

    def places(self, findings: Findings) -> dict[str, tuple[Place, str]]:
        """Return where the value under each key is from: the place, and the key path there."""
        return {
            show_path(keys): (findings.place(origin), show_path(origin))
            for keys, origin in self._origins.items()
            if keys
        }
