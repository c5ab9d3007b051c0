"""Independent things at once; HTTP over an open connection; output without secrets."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from verified_images.errors import CalledOffError, UnreachableError
from verified_images.masking import Masker
from verified_images.stages.http_probe import get_over
from verified_images.stages.output import MaskedOutput
from verified_images.stages.together import beside, together
from verified_images.waiting import Deadline, until_called_off, wait_for

if TYPE_CHECKING:
    from tests.stages.conftest import Told


def test_calls_run_at_the_same_time_and_keep_their_order() -> None:
    meeting = threading.Barrier(3)

    def call(number: int) -> int:
        meeting.wait(30)
        return number

    assert together([lambda: call(1), lambda: call(2), lambda: call(3)]) == [1, 2, 3]


def wait_for_ever(ended: list[str]) -> None:
    try:
        wait_for(lambda _: None, Deadline("what never happens", 3600), every=600)
    except CalledOffError:
        ended.append("called off")
        raise


def test_one_that_fails_ends_the_others_and_its_error_is_raised() -> None:
    ended: list[str] = []

    def fail() -> None:
        raise ValueError("the cause")

    with pytest.raises(ValueError, match="the cause"):
        together([lambda: wait_for_ever(ended), fail, lambda: wait_for_ever(ended)])
    assert ended == ["called off", "called off"]


def test_who_is_called_off_ends_what_it_has_begun() -> None:
    ended: list[str] = []
    event = threading.Event()
    threading.Timer(0.1, event.set).start()
    with until_called_off(event), pytest.raises(CalledOffError):
        together([lambda: together([lambda: wait_for_ever(ended)])])
    assert ended == ["called off"]


def test_what_is_done_beside_has_ended_when_the_block_has() -> None:
    begun, ended = threading.Event(), []

    def work() -> str:
        begun.wait(30)
        ended.append("work")
        return "done"

    with beside(work) as future:
        begun.set()
    assert (future.result(0), ended) == ("done", ["work"])


def test_an_error_beside_is_told_to_who_asks_for_it() -> None:
    def fail() -> None:
        raise ValueError("beside")

    with beside(fail) as future:
        pass
    with pytest.raises(ValueError, match="beside"):
        future.result(0)


def test_a_block_that_fails_calls_off_what_is_done_beside() -> None:
    ended: list[str] = []
    with pytest.raises(KeyboardInterrupt), beside(lambda: wait_for_ever(ended)):
        raise KeyboardInterrupt
    assert ended == ["called off"]


def answer(raw: bytes) -> tuple[socket.socket, list[bytes]]:
    """Return the near end of a connection whose far end sends ``raw``, and what the far end gets."""
    near, far = socket.socketpair()
    got: list[bytes] = []

    def serve() -> None:
        got.append(far.recv(65536))
        far.sendall(raw)
        far.close()

    threading.Thread(target=serve, daemon=True).start()
    return near, got


def test_an_http_answer_is_read() -> None:
    connection, got = answer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nX-Served-By: me\r\n\r\ngone")
    response = get_over(connection, "10.0.0.4:80", "/page?x=1")
    assert (response.status, response.reason, response.text) == (404, "Not Found", "gone")
    assert response.headers["x-served-by"] == "me"
    assert got[0].startswith(b"GET /page?x=1 HTTP/1.1\r\nHost: 10.0.0.4\r\n")
    assert connection.fileno() == -1


@pytest.mark.parametrize("raw", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nless"])
def test_what_is_not_http_is_unreachable(raw: bytes) -> None:
    connection, _ = answer(raw)
    with pytest.raises(UnreachableError, match=r"GET http://10\.0\.0\.4:80/ failed"):
        get_over(connection, "10.0.0.4:80", "/")


def test_a_secret_that_two_chunks_share_is_hidden(told: Told) -> None:
    output = MaskedOutput(told, Masker(["hunter2"]))
    output.text("the password is hun")
    output.text("ter2, and that")
    output.step("logged in with hunter2")
    output.text(" hunt")
    output.step("done")
    assert "".join(told.texts) == "the password is ***, and that hunt"
    assert told.steps == ["logged in with ***", "done"]
