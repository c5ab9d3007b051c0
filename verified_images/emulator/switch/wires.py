"""What carries frames between a guest and the switch; nothing here ever waits.

QEMU's filters speak through stream sockets, each frame after its length in four bytes (QEMU documentation,
"Netfilter"); a guest that is a network namespace has a TAP device, which gives and takes one frame at a time.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket

_LENGTH = struct.Struct("!I")
_CHUNK = 1 << 18
_LARGEST_FRAME = 1 << 16
_MOST_WAITING = 1 << 20
_FRAMES_AT_ONCE = 64


class Wire(Protocol):
    """One way for frames: read from a guest, or written to it."""

    def fileno(self) -> int:
        """Give the file descriptor to be watched."""

    def read(self) -> list[bytes]:
        """Give the frames that have come.

        Raises:
            EOFError: the other side has gone.
        """

    def write(self, frame: bytes) -> None:
        """Take a frame to be sent by the next `flush`; as in any switch it is lost when too many are waiting."""

    def flush(self) -> bool:
        """Send what can be sent, and tell whether nothing is left."""

    def close(self) -> None:
        """Hang up."""


class FramedStream:
    """A stream socket with frames after their lengths."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)  # noqa: FBT003 - how sockets are told
        self._socket = connection
        self._received = b""
        self._waiting = bytearray()

    def fileno(self) -> int:
        """Give the socket's file descriptor."""
        return self._socket.fileno()

    def read(self) -> list[bytes]:
        """Give the frames that have come whole.

        Raises:
            EOFError: the other side has gone, or does not speak so.
        """
        try:
            chunk = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return []
        except OSError as error:
            raise EOFError from error
        if not chunk:
            raise EOFError
        frames, self._received = split_frames(self._received + chunk)
        return frames

    def write(self, frame: bytes) -> None:
        """Take a frame to be sent."""
        if len(self._waiting) < _MOST_WAITING:
            self._waiting += _LENGTH.pack(len(frame)) + frame

    def flush(self) -> bool:
        """Send as much as the socket takes; what the other side will never read counts as sent."""
        try:
            while self._waiting:
                del self._waiting[: self._socket.send(self._waiting)]
        except BlockingIOError:
            return False
        except OSError:
            self._waiting.clear()
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def split_frames(stream: bytes) -> tuple[list[bytes], bytes]:
    """Take the frames that are whole from what has come of a stream; give them and the rest.

    Raises:
        EOFError: a length is impossible.
    """
    frames, at = [], 0
    while len(stream) - at >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(stream, at)
        if length > _LARGEST_FRAME:
            raise EOFError(f"a frame of {length} bytes")
        end = at + _LENGTH.size + length
        if end > len(stream):
            break
        frames.append(stream[at + _LENGTH.size : end])
        at = end
    return frames, stream[at:]


class Tap:
    """The TAP device of a guest; both ways in one."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Give the device's file descriptor."""
        return self._descriptor

    def read(self) -> list[bytes]:
        """Give some of the frames that have come.

        Raises:
            EOFError: the device is gone.
        """
        frames: list[bytes] = []
        try:
            while len(frames) < _FRAMES_AT_ONCE:
                frames.append(os.read(self._descriptor, _LARGEST_FRAME))
        except BlockingIOError:
            return frames
        except OSError as error:
            raise EOFError from error
        return frames

    def write(self, frame: bytes) -> None:
        """Send a frame at once, or lose it."""
        with suppress(OSError):
            os.write(self._descriptor, frame)

    def flush(self) -> bool:
        """Tell that nothing waits."""
        return True

    def close(self) -> None:
        """Close the device."""
        os.close(self._descriptor)
