"""The serial console of a guest: what its processes write, kept in a file."""

from __future__ import annotations

import os
import select
import threading
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 65536


class Console:
    """Brings what arrives in ``pipe`` to the end of the file ``log``, during one boot."""

    def __init__(self, pipe: IO[bytes], log: Path) -> None:
        self._pipe = pipe
        self._log = log
        self._lock = threading.Lock()
        self._has_ended = False
        os.set_blocking(pipe.fileno(), False)

    def follow(self) -> None:
        """Do so until nobody holds the other end any more."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while not self._has_ended:
            poll.poll()
            self.catch_up()

    def catch_up(self) -> None:
        """Do so with what is there already, so that a reader of the file misses nothing that was written before."""
        with self._lock, self._log.open("ab") as log:
            while not self._has_ended and (chunk := self._pipe.read(_CHUNK)) is not None:
                log.write(chunk)
                self._has_ended = not chunk
