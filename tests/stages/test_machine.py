"""A machine is trusted only by the host keys that Azure tells of, and used only when its first boot is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from verified_images.errors import CloudError, HostKeyError, MachineError
from verified_images.ssh.keys import new_run_key
from verified_images.ssh.session import CommandResult
from verified_images.stages import machine
from verified_images.stages.machine import Guest, learn_host_keys, wait_for_first_boot
from verified_images.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stages.conftest import Told
    from verified_images.stages.context import BuildContext

KEY = " ".join(new_run_key().public.split()[:2])
BLOCK = f"-----BEGIN SSH HOST KEY KEYS-----\n{KEY} root@vm\n-----END SSH HOST KEY KEYS-----\n"


def guest(*logs: str | Exception, agent: str | Exception = "") -> Guest:
    """A guest with these serial logs, one after the other, and this answer of its agent."""
    following = iter(logs)
    last = logs[-1]

    def read() -> str:
        log = next(following, last)
        if isinstance(log, Exception):
            raise log
        return log

    def run(_: list[str]) -> str:
        if isinstance(agent, Exception):
            raise agent
        return agent

    return Guest("/subscriptions/s/vm", "vm", read, run)


def learn(context: BuildContext, guest: Guest, *, seconds: float = 0.05) -> tuple[str, ...]:
    return learn_host_keys(context, guest, Deadline("a session", seconds))


def test_host_keys_come_from_the_serial_log_as_soon_as_they_are_there(open_build: Callable[..., BuildContext]) -> None:
    assert learn(open_build(), guest("", "booting ...", BLOCK), seconds=60.0) == (KEY,)


@pytest.mark.parametrize("log", ["no keys here", CloudError("no boot diagnostics")])
def test_the_agent_is_asked_when_the_log_does_not_tell(
    open_build: Callable[..., BuildContext], told: Told, log: str | Exception
) -> None:
    assert learn(open_build(), guest(log, agent=f"[stdout]\n{KEY} root@vm\n")) == (KEY,)
    assert told.steps[-1].endswith("asking the agent of 'vm'")


@pytest.mark.parametrize("agent", ["[stdout]\n[stderr]\ncat: no such file", CloudError("the agent does not answer")])
def test_without_host_keys_there_is_no_session(open_build: Callable[..., BuildContext], agent: str | Exception) -> None:
    with pytest.raises(HostKeyError, match="'vm'"):
        learn(open_build(), guest("", agent=agent))


class Session:
    """A session whose commands end as told."""

    def __init__(self, cloud_init: int, locks: int = 0) -> None:
        self.cloud_init, self.locks = cloud_init, locks

    def ask(self, command: str, *, timeout: float) -> CommandResult:
        assert timeout > 0
        if "cloud-init status --wait" in command:
            return CommandResult(command, self.cloud_init, b"status: error\n", b"")
        self.locks -= 1
        return CommandResult(command, int(self.locks >= 0), b"/var/lib/dpkg/lock-frontend\n", b"")


def wait(context: BuildContext, session: Session) -> None:
    wait_for_first_boot(context, session, "vm", Deadline("a session", 5))  # type: ignore[arg-type]


def test_cloud_init_must_not_have_failed(open_build: Callable[..., BuildContext]) -> None:
    with pytest.raises(MachineError, match="cloud-init failed on 'vm': status: error"):
        wait(open_build(), Session(1))


def test_recoverable_errors_of_cloud_init_are_told(open_build: Callable[..., BuildContext], told: Told) -> None:
    wait(open_build(), Session(2))
    assert told.steps == ["cloud-init of 'vm' is done, with recoverable errors"]


def test_the_package_database_must_be_free(
    open_build: Callable[..., BuildContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(0, locks=1)
    wait(open_build(), session)
    assert session.locks == -1
    monkeypatch.setattr(machine, "PACKAGE_LOCK_SECONDS", 0.01)
    with pytest.raises(Exception, match=r"the release of the package database on 'vm' .*last seen: /var/lib/dpkg/lock"):
        wait(open_build(), Session(0, locks=99))
