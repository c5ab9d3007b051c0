"""``verified-images reap``: remove what killed runs have left."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from verified_images.commands.terminal import add_state, state_folder, tell
from verified_images.errors import VerifiedImagesError

if TYPE_CHECKING:
    from verified_images.cloud.connection import CloudConnection
    from verified_images.cloud.operations import Arm
    from verified_images.journal import Record
    from verified_images.reaping import Findings, Leftover, Reaped


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    reap = commands.add_parser(
        "reap",
        help="remove what killed runs have left",
        description="Remove what runs have left whose time is up, as their journals and the tags in Azure tell.",
    )
    reap.add_argument("--cloud", choices=("local", "azure"), default="local", help="where (default: local)")
    reap.add_argument("--subscription", metavar="ID", help="Azure subscription (default: AZURE_SUBSCRIPTION_ID)")
    reap.add_argument(
        "--azure-environment", choices=("public", "usgovernment", "china"), default="public", help="which Azure"
    )
    reap.add_argument(
        "--run", dest="runs", action="append", default=[], metavar="ID", help="this run, expired or not; repeatable"
    )
    reap.add_argument(
        "--older-than", type=_duration, metavar="TIME", help="runs begun longer ago, as in 90m or 2h, expired or not"
    )
    reap.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    add_state(reap)
    reap.add_argument(
        "--hypervisor", choices=("qemu", "fake"), default="qemu", help="what runs the local Azure's machines"
    )
    reap.set_defaults(run=_reap)


def _duration(text: str) -> timedelta:
    from verified_images.templates.fields import parse_duration  # noqa: PLC0415 - only runs with the option

    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _reap(options: argparse.Namespace) -> int:
    from verified_images.cloud.operations import Arm  # noqa: PLC0415 - only the commands that need it
    from verified_images.reaping import Choice, find_leftovers  # noqa: PLC0415 - same

    records, unreadable = _read_journals()
    choice = Choice(frozenset(options.runs), options.older_than)
    try:
        with ExitStack() as undo:
            arm = Arm(_connect(options, undo), tell)
            findings = find_leftovers(arm, records, choice, datetime.now(UTC))
            for problem in (*unreadable, *findings.unreadable):
                tell(problem)
            return _carry_out(arm, findings, options) or (1 if unreadable or findings.unreadable else 0)
    except VerifiedImagesError as error:
        tell(str(error))
        return 1


def _carry_out(arm: Arm, findings: Findings, options: argparse.Namespace) -> int:
    from verified_images.reaping import reap  # noqa: PLC0415 - only the commands that need it

    for leftover, reason in findings.refused:
        if not options.runs or leftover.run in options.runs:
            tell(f"{_title(leftover)} is left alone: {reason}")
    missing = (
        set(options.runs)
        - {leftover.run for leftover in findings.ripe}
        - {leftover.run for leftover, _ in findings.refused}
    )
    for run in sorted(missing):
        tell(f"run {run} has left nothing here")
    if not findings.ripe:
        tell("there is nothing to remove")
    outcome = 0
    for leftover in findings.ripe:
        if options.dry_run:
            _list(leftover)
            continue
        tell(f"{_title(leftover)}:")
        outcome = max(outcome, _report(reap(arm, leftover)))
    return outcome


def _list(leftover: Leftover) -> None:
    tell(f"{_title(leftover)} would be removed:")
    sys.stdout.writelines(f"{one}\n" for one in leftover.ids)


def _report(reaped: Reaped) -> int:
    sys.stdout.writelines(f"removed {one}\n" for one in reaped.removed)
    sys.stdout.writelines(f"left    {one}\n" for one in reaped.left)
    for error in reaped.errors:
        tell(str(error))
    return 1 if reaped.left or reaped.errors else 0


def _title(leftover: Leftover) -> str:
    made = f"begun by {leftover.owner or 'unknown'} at {leftover.created:%Y-%m-%d %H:%M} UTC"
    return f"run {leftover.run} of spec '{leftover.spec}', {made},"


def _read_journals() -> tuple[list[Record], list[str]]:
    from verified_images.journal import journal_folder, read_journal  # noqa: PLC0415 - only the commands that need it

    records, unreadable = [], []
    for path in sorted(journal_folder().glob("*.jsonl")):
        try:
            records.append(read_journal(path))
        except VerifiedImagesError as error:
            unreadable.append(str(error))
    return records, unreadable


def _connect(options: argparse.Namespace, undo: ExitStack) -> CloudConnection:
    from verified_images.cloud.connection import connect_azure  # noqa: PLC0415 - only the commands that need it

    if options.cloud == "local":
        return _connect_local(options, undo)
    subscription = options.subscription or os.environ.get("AZURE_SUBSCRIPTION_ID")
    if not subscription:
        raise VerifiedImagesError(
            "--cloud azure needs a subscription: give --subscription or set AZURE_SUBSCRIPTION_ID"
        )
    connection = connect_azure(subscription, cloud=options.azure_environment)
    undo.callback(connection.close)
    return connection


def _connect_local(options: argparse.Namespace, undo: ExitStack) -> CloudConnection:
    from verified_images.cloud.connection import connect_local  # noqa: PLC0415 - only the commands that need it
    from verified_images.emulator import LocalCloud, Options, StateInUseError, find_running  # noqa: PLC0415 - same

    state = state_folder(options)
    try:
        cloud = find_running(state) or undo.enter_context(LocalCloud(state, Options(hypervisor=options.hypervisor)))
    except StateInUseError as error:
        raise VerifiedImagesError(str(error)) from error
    connection = connect_local(**cloud.access)
    undo.callback(connection.close)
    return connection
