"""Has a script run by the Python that ``warm_python.py`` serves: ``ask_warm_python.py SOCKET SCRIPT [ARGUMENT...]``."""

from __future__ import annotations

import json
import os
import socket
import sys


def main() -> int:
    """Pass on arguments, environment and streams; give the exit code."""
    wanted = {"argv": sys.argv[2:], "cwd": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109 - starts fast
    content = json.dumps(wanted).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(sys.argv[1])
        sent = socket.send_fds(connection, [content], [0, 1, 2])
        connection.sendall(content[sent:])
        return int(connection.recv(16) or b"1")


if __name__ == "__main__":
    sys.exit(main())
