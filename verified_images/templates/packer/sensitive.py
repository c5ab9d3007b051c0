"""The secret values of a Packer template, and what its expressions made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import Iterable

# Shorter ones, such as the length of a secret, would mask half of every log.
_SHORTEST_DERIVED = 6


class Secrets:
    """Collects what must be masked; texts in ``public`` are known to everybody and never masked."""

    def __init__(self) -> None:
        self._found: dict[str, None] = {}
        self._public: set[str] = set()

    def publish(self, values: Iterable[str]) -> None:
        """Say that these are known to everybody."""
        self._public.update(values)

    def add(self, secret: str) -> None:
        """Keep a secret; of several lines also each one, since output comes in lines."""
        for part in (secret, *secret.splitlines()):
            if part and (part == secret or len(part) >= _SHORTEST_DERIVED):
                self._found.setdefault(part)

    def add_derived(self, text: str) -> None:
        """Keep what was made of a secret, unless it is too short or known to everybody."""
        if len(text) >= _SHORTEST_DERIVED and text not in self._public:
            self.add(text)

    def mask(self, message: str) -> str:
        """Return a message without the secrets."""
        for secret in sorted(self._found, key=len, reverse=True):
            message = message.replace(secret, "***")
        return message

    @property
    def all(self) -> tuple[SecretStr, ...]:
        """Every secret, longest first."""
        return tuple(SecretStr(secret) for secret in sorted(self._found, key=len, reverse=True))
