"""A template in the making: values under the keys of the model, each with the place that it is from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.templates.problems import validation_problems

if TYPE_CHECKING:
    from pydantic import ValidationError

    from verified_images.templates.packer_findings import Findings
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
        for length in range(1, len(keys) + 1):
            self._origins.setdefault(keys[:length], origin)

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

    def note(self, error: ValidationError, findings: Findings, required: dict[KeyPath, str]) -> None:
        """Note what the model found wrong, where the values are from.

        ``required`` are the names of Packer's options by the keys that they go to.
        """
        for key_path, message in validation_problems(error, self.data):
            origin = self.origin(key_path)
            if findings.is_spoilt(origin):
                continue
            if key_path in required and message == "this key is required":
                if not findings.is_spoilt((*self._origins[()], required[key_path])):
                    findings.error(self._origins[()], f"the option '{required[key_path]}' is required")
                continue
            findings.error(origin, message)

    def origin(self, key_path: KeyPath) -> KeyPath:
        """Return where the value at ``key_path`` is from, or what is nearest to it."""
        length = next(length for length in range(len(key_path), -1, -1) if key_path[:length] in self._origins)
        rest = tuple(step for step in key_path[length:] if isinstance(step, int))
        return (*self._origins[key_path[:length]], *rest)
