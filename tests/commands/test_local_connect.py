from __future__ import annotations

import os
import socket

from verified_images.commands.local_connect import relay


def test_bytes_pass_both_ways_until_the_machine_is_done() -> None:
    here, machine = socket.socketpair()
    (from_user, to_relay), (from_relay, to_user) = os.pipe(), os.pipe()
    os.write(to_relay, b"question")
    os.close(to_relay)
    machine.sendall(b"answer")
    with here:
        machine.shutdown(socket.SHUT_WR)
        relay(here, from_user, to_user)
        os.close(to_user)
        with machine, machine.makefile("rb") as heard:
            assert heard.read() == b"question"
    assert os.read(from_relay, 100) == b"answer"
    for descriptor in (from_relay, from_user):
        os.close(descriptor)
