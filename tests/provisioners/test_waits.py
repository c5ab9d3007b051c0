"""The provisioners that only wait: sleep and breakpoint."""

from __future__ import annotations

import os
import pty
import threading
import time
from typing import TYPE_CHECKING

import pytest

from verified_images.errors import ProvisionerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.provisioners.machine import Bench


def test_a_sleep_takes_its_time(bench: Bench) -> None:
    started = time.monotonic()
    bench.provision({"sleep": {"duration": "300ms"}})
    assert 0.3 <= time.monotonic() - started < 60
    with pytest.raises(ProvisionerError, match="its time of 0 s was up"):
        bench.provision({"sleep": {"duration": "1h", "timeout": "100ms"}})


def test_a_breakpoint_is_passed_where_nobody_can_answer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.provision({"breakpoint": {"disable": True}})
    monkeypatch.setenv("CI", "true")
    bench.provision({"breakpoint": {"note": "look at hunter2"}})
    monkeypatch.delenv("CI")
    monkeypatch.setattr("verified_images.provisioners.breakpoint._TERMINAL", "/no/such")
    bench.provision({"breakpoint": {}})
    assert [step for step in bench.steps if "no stop" in step] == [
        "no stop at this breakpoint: it is disabled",
        "no stop at this breakpoint (look at ***): this is CI",
        "no stop at this breakpoint: there is no terminal",
    ]


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal's other end; the run is at that terminal."""
    near, far = pty.openpty()
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr("verified_images.provisioners.breakpoint._TERMINAL", os.ttyname(far))
    with os.fdopen(far, "rb", buffering=0, closefd=False) as stdin:
        monkeypatch.setattr("sys.__stdin__", stdin)
        yield near
    os.close(far)
    os.close(near)


def test_a_breakpoint_waits_for_the_enter_key(bench: Bench, keyboard: int) -> None:
    timer = threading.Timer(0.3, os.write, (keyboard, b"\n"))
    timer.start()
    started = time.monotonic()
    bench.provision({"breakpoint": {"note": "look"}})
    timer.join()
    assert time.monotonic() - started >= 0.3
    assert "stopped at a breakpoint: look" in bench.steps
    assert b"look\r\npress Enter to go on with debian-nginx" in os.read(keyboard, 1000)


def test_the_time_of_a_breakpoint_can_be_up(bench: Bench, keyboard: int) -> None:
    assert keyboard
    with pytest.raises(ProvisionerError, match="its time of 0 s was up"):
        bench.provision({"breakpoint": {"timeout": "100ms"}})
