"""What earlier runs on this machine have left because they were killed, and the command that removes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from pytest_plugin.options import Settings
    from verified_images.journal import Record


def describe_cloud(settings: Settings) -> str:
    """Give the line that names the cloud of a session."""
    where = f"subscription {settings.subscription}" if settings.cloud == "azure" else str(settings.state)
    return f"verified-images: {settings.cloud} cloud, {where}"


def offer_to_reap(settings: Settings, gone_on_with: Container[str] = ()) -> Iterator[str]:
    """Give a line for each killed or kept run of the session's cloud that may have left something, but for some ids."""
    from verified_images.journal import KEPT  # noqa: PLC0415 - only runs with specs

    for record, problem in _read_all(settings):
        if record is None:
            yield problem
        elif record.left and not record.active and record.run.id not in gone_on_with:
            yield _keep_in_mind(record) if KEPT in record.notes else _offer(record, settings)


def read_records(settings: Settings) -> tuple[Record, ...]:
    """Give the journals of the session's cloud."""
    return tuple(record for record, _ in _read_all(settings) if record is not None)


def _read_all(settings: Settings) -> Iterator[tuple[Record | None, str]]:
    """Give each journal of the session's cloud, or what is wrong with it."""
    from verified_images.errors import VerifiedImagesError  # noqa: PLC0415 - only runs with specs
    from verified_images.journal import journal_folder, read_journal  # noqa: PLC0415 - same

    subscription = _subscription(settings)
    for path in sorted(journal_folder().glob("*.jsonl")):
        try:
            record = read_journal(path)
        except VerifiedImagesError as error:
            yield None, str(error)
            continue
        if record.target.subscription == subscription:
            yield record, ""


def _subscription(settings: Settings) -> str | None:
    if settings.cloud == "azure":
        return settings.subscription
    try:
        account = json.loads((settings.state / "account.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None  # a local cloud that has never run
    return str(account.get("subscription_id"))


def _keep_in_mind(record: Record) -> str:
    until = f"{record.run.expires:%Y-%m-%d %H:%M} UTC"
    # What is captured boots no more.
    way_on = "--vi-from=deploy goes on with it" if "captured" in record.notes else "--vi-reuse tests it again"
    return f"run {record.run.id} of {record.run.spec} is kept until {until}: {way_on}"


def _offer(record: Record, settings: Settings) -> str:
    count = len(record.left)
    what = f"{count} resource{'s' if count > 1 else ''}"
    command = command_to_reap(record.run.id, settings)
    return f"run {record.run.id} of {record.run.spec} was killed and may have left {what}: {command}"


def command_to_reap(run: str, settings: Settings) -> str:
    """Give the command that removes what a run of the session's cloud has left."""
    from verified_images.emulator.local_cloud import default_state  # noqa: PLC0415 - only where something is left

    words = ["verified-images reap --run", run]
    if settings.cloud == "azure":
        words.append(f"--cloud azure --subscription {settings.subscription}")
        if settings.azure_environment != "public":
            words.append(f"--azure-environment {settings.azure_environment}")
    elif settings.state != default_state():
        words.append(f"--state {settings.state}")
    return " ".join(words)
