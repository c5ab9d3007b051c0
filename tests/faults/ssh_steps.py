"""The steps that a session takes over SSH, and what can go wrong at each: the plugin of the session that it happens to.

A step is a call of the session into a machine; the n-th one is the same in every run of the same spec.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.faults.line import Line
from verified_images.ssh import connecting, link
from verified_images.ssh.keys import new_run_key
from verified_images.ssh.reach import SocksReach
from verified_images.ssh.session import Session
from verified_images.stages import machine
from verified_images.waiting import current_budget

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from verified_images.stages.machine import Guest

LOG_IN = "_open"
STEPS = (LOG_IN, "run", "ask", "upload", "upload_bytes", "download", "open_tunnel", "lend_openssh_access")
SECONDS = 3.0
"""After so many seconds without progress, or without an answer, a session that was struck gives up."""

_NEW_KEY = "rm -f /etc/ssh/ssh_host_*_key && cat >/etc/ssh/ssh_host_ed25519_key <<'END'\n{}END"
_NO_LOGIN = "rm -f /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys"


@dataclass(frozen=True, slots=True)
class Step:
    """A step: the ``number``-th call, from 1, into the build VM or an instance.

    ``answers`` is in how many pieces the machine answered it, ``in_stage`` whether a stage makes it, and not a test.
    """

    machine: str
    number: int
    call: str
    what: str
    in_stage: bool
    answers: int = 1

    def __str__(self) -> str:
        return f"{self.machine} {self.number}: {self.call.strip('_')} {self.what}"


@dataclass(frozen=True, slots=True)
class Strikes:
    """Makes the plugin that lets ``fault`` happen at a step, instead of its next answer but ``after`` others."""

    step: Step | None = None
    fault: str = ""
    after: int = 0

    def __call__(self, wire: Connection) -> object:
        return _Striker(wire, self)


@dataclass(slots=True)
class _Striker:
    wire: Connection
    order: Strikes
    line: Line = field(default_factory=Line)
    steps: list[Step] = field(default_factory=list)
    guests: dict[str, Guest] = field(default_factory=dict)
    struck: bool = False
    inside: threading.local = field(default_factory=threading.local)

    def pytest_configure(self) -> None:
        # All of it in a process of its own.
        for name in STEPS:
            setattr(Session, name, self._noting(name, getattr(Session, name)))
        reach, learn = SocksReach.__call__, machine.learn_host_keys

        def reach_through(own: SocksReach, address: str, port: int, timeout: float) -> socket.socket:
            return self.line.through(reach(own, address, port, timeout))

        def learn_of(context: Any, guest: Guest, deadline: Any) -> tuple[str, ...]:  # noqa: ANN401 - passed on
            self.guests[guest.name] = guest
            return learn(context, guest, deadline)

        SocksReach.__call__ = reach_through  # type: ignore[method-assign, assignment]
        machine.learn_host_keys = learn_of
        link._ASK_EVERY = 1.0

    def pytest_unconfigure(self) -> None:
        self.wire.send((self.steps, self.struck))

    def _noting(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def note_and_call(session: Session, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
            if getattr(self.inside, "a_step", False):
                return call(session, *arguments, **options)
            place = self._begin(session, name, str(options.get("name") or (arguments or ("",))[0]))
            before = self.line.answers
            self.inside.a_step = True
            try:
                return call(session, *arguments, **options)
            finally:
                self.inside.a_step = False
                self.steps[place] = replace(self.steps[place], answers=self.line.answers - before)

        return note_and_call

    def _begin(self, session: Session, call: str, what: str) -> int:
        name = session.address.machine
        kind = "build VM" if name.endswith("-vm") else "instance"
        number = 1 + sum(step.machine == kind for step in self.steps)
        what = "" if call == LOG_IN else re.sub(r"\s+", " ", what)[:40]
        self.steps.append(Step(kind, number, call, what, current_budget() is not None))
        wanted = self.order.step
        if wanted and (wanted.machine, wanted.number) == (kind, number):
            session._login_patience = SECONDS
            self._strike(self.guests[name])
        return len(self.steps) - 1

    def _strike(self, guest: Guest) -> None:
        self.struck = True
        if self.order.fault in TRANSIENT:
            connecting._HANDSHAKE_WITHIN = link._OPEN_WITHIN = SECONDS
        FAULTS[self.order.fault](self, guest)

    def cut(self, _guest: Guest) -> None:
        self.line.cut(self.order.after)

    def fall_silent(self, _guest: Guest) -> None:
        link._ANSWER_WITHIN = SECONDS
        self.line.fall_silent(self.order.after, for_good=False)

    def hang(self, _guest: Guest) -> None:
        if budget := current_budget():
            budget.stall = SECONDS
        else:
            link._ANSWER_WITHIN = SECONDS
        self.line.fall_silent(self.order.after, for_good=True)

    def change_host_key(self, guest: Guest) -> None:
        guest.run_command([_NEW_KEY.format(new_run_key()._text)])
        self._cut_unless_logging_in()

    def refuse(self, guest: Guest) -> None:
        guest.run_command([_NO_LOGIN])
        self._cut_unless_logging_in()

    def _cut_unless_logging_in(self) -> None:
        if self.order.step and self.order.step.call != LOG_IN:
            self.line.cut()


FAULTS = {
    "dropped": _Striker.cut,
    "silent for a while": _Striker.fall_silent,
    "hung": _Striker.hang,
    "host key changed": _Striker.change_host_key,
    "authentication refused": _Striker.refuse,
}
TRANSIENT = ("dropped", "silent for a while")
