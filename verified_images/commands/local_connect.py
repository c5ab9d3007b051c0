"""``verified-images local connect``: a connection to a machine of the local Azure on standard input and output.

It is what OpenSSH's ProxyCommand asks for: machines of the local Azure are reached through its gateway alone.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import TYPE_CHECKING

from verified_images.commands.terminal import tell

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from verified_images.emulator import RunningCloud

_CONNECT_SECONDS = 30.0
_CHUNK = 64 * 1024


def add_command(parser: argparse.ArgumentParser, find: Callable[[argparse.Namespace], RunningCloud | None]) -> None:
    """Declare the command; ``find`` gives the local Azure that is served, or says that there is none."""
    parser.add_argument("address", help="the machine's address on the local Azure")
    parser.add_argument("port", type=int, help="a TCP port that its network security group admits")
    parser.set_defaults(run=lambda options: _connect(options, find(options)))


def _connect(options: argparse.Namespace, cloud: RunningCloud | None) -> int:
    from verified_images.ssh.reach import SocksReach  # noqa: PLC0415 - only the command that needs it

    if cloud is None:
        return 1
    try:
        connection = SocksReach(cloud.proxy)(options.address, options.port, _CONNECT_SECONDS)
    except OSError as error:
        tell(f"{options.address}:{options.port} on the local Azure cannot be reached: {error}")
        return 1
    connection.settimeout(None)
    with connection:
        relay(connection, sys.stdin.fileno(), sys.stdout.fileno())
    return 0


def relay(connection: socket.socket, incoming: int, outgoing: int) -> None:
    """Pass on bytes both ways between a connection and two file descriptors, until the other end is done."""
    threading.Thread(target=_send, args=(connection, incoming), daemon=True).start()
    while chunk := connection.recv(_CHUNK):
        while chunk:
            chunk = chunk[os.write(outgoing, chunk) :]


def _send(connection: socket.socket, incoming: int) -> None:
    while chunk := os.read(incoming, _CHUNK):
        connection.sendall(chunk)
    connection.shutdown(socket.SHUT_WR)
