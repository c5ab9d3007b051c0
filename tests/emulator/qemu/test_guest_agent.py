from __future__ import annotations

import base64
import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.qemu.guest_agent import GuestAgent

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = {"/run/told": "grüße\n"}


class Guest:
    """The other end of the line: an agent that opens files, and notes what it was asked."""

    def __init__(self, line: socket.socket) -> None:
        self.asked: list[str] = []
        self._line = line

    def serve(self) -> None:
        with self._line, self._line.makefile("rb") as requests:
            for request in requests:
                told = json.loads(request.lstrip(b"\xff"))
                self._line.sendall(json.dumps(self._answer(told["execute"], told["arguments"])).encode() + b"\n")

    def _answer(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if command == "guest-sync-delimited":
            return {"return": arguments["id"]}
        self.asked.append(command)
        if command == "guest-file-open":
            path = arguments["path"]
            if path == "/root/secret":
                return {"error": {"class": "GenericError", "desc": f"failed to open file '{path}': Permission denied"}}
            if path not in FILES:
                why = "No such file or directory"
                return {"error": {"class": "GenericError", "desc": f"failed to open file '{path}' (mode: 'r'): {why}"}}
            return {"return": 1000}
        if command == "guest-file-read":
            content = base64.b64encode(FILES["/run/told"].encode()).decode()
            return {"return": {"count": len(content), "buf-b64": content, "eof": True}}
        return {"return": {}}


@pytest.fixture
def guest() -> Iterator[tuple[GuestAgent, Guest]]:
    ours, its = socket.socketpair()
    guest = Guest(its)
    thread = threading.Thread(target=guest.serve)
    thread.start()
    agent = GuestAgent(ours)
    yield agent, guest
    agent.close()
    thread.join()


def test_a_file_is_read_and_closed_again(guest: tuple[GuestAgent, Guest]) -> None:
    agent, other_end = guest
    assert agent.read_file("/run/told") == "grüße\n"
    assert other_end.asked == ["guest-file-open", "guest-file-read", "guest-file-close"]


def test_a_file_that_is_not_there_is_none(guest: tuple[GuestAgent, Guest]) -> None:
    agent, other_end = guest
    assert agent.read_file("/run/other") is None
    assert other_end.asked == ["guest-file-open"]


def test_a_file_that_cannot_be_read_is_an_error(guest: tuple[GuestAgent, Guest]) -> None:
    with pytest.raises(HypervisorError, match=r"refused guest-file-open: .*Permission denied"):
        guest[0].read_file("/root/secret")
