"""What a build has made and must remove: registered before it is made, removed newest first."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.cloud.ids import is_inside, same_id
from verified_images.errors import CalledOffError

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.journal import Journal


@dataclass(frozen=True, slots=True)
class Temporary:
    """A resource that may exist, and how it is deleted; without ``delete`` it goes with its resource group."""

    kind: str
    id: str
    delete: Callable[[], None] | None = None


class UndoStack:
    """The build's memory of what it made; thread-safe, and written through to the run's journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._stack: list[Temporary] = []
        self._kept: list[str] = []
        self._used = False
        self._sealed = False
        self._lock = threading.Lock()

    def register(self, kind: str, resource_id: str, delete: Callable[[], None] | None = None) -> None:
        """Remember a resource that is about to be made; once this returns it may be made.

        Raises:
            CalledOffError: clean-up has begun.
        """
        with self._lock:
            if self._sealed:
                raise CalledOffError
            self._journal.planned(kind, resource_id)
            self._used = True
            self._stack.append(Temporary(kind, resource_id, delete))

    def seal(self) -> None:
        """Let nothing be made any more: what there is, is being removed."""
        with self._lock:
            self._sealed = True

    def forget(self, resource_id: str) -> None:
        """Strike out a resource that does not exist any more, or is somebody else's, and all that was inside it."""
        with self._lock:
            self._journal.removed(resource_id)
            self._stack[:] = [
                temporary
                for temporary in self._stack
                if not same_id(temporary.id, resource_id) and not is_inside(temporary.id, resource_id)
            ]

    def keep(self, resource_id: str) -> None:
        """Strike out a resource that was published: it is temporary no more."""
        with self._lock:
            self._kept.append(resource_id)
        self.forget(resource_id)

    @property
    def was_used(self) -> bool:
        """Whether the build ever was about to make something."""
        return self._used

    def is_registered(self, resource_id: str) -> bool:
        """Tell whether the resource may exist."""
        return any(same_id(temporary.id, resource_id) for temporary in self.newest_first())

    def is_kept(self, resource_id: str) -> bool:
        """Tell whether the resource was published, or is a part of something that was."""
        return any(same_id(resource_id, kept) or is_inside(resource_id, kept) for kept in self._kept)

    def newest_first(self) -> tuple[Temporary, ...]:
        """Return what there may still be, the newest first."""
        with self._lock:
            return tuple(reversed(self._stack))
