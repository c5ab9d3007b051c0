"""The account of an installation: made at first use, kept beside its state."""

from __future__ import annotations

import json
import os
import secrets
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING

from verified_images.emulator.cloud import Account

if TYPE_CHECKING:
    from pathlib import Path


def ensure_account(file: Path) -> Account:
    """Give the account kept in ``file``; make one, readable by its owner alone, when there is none."""
    if file.exists():
        return Account(**json.loads(file.read_text()))
    account = Account(
        tenant_id=str(uuid.uuid4()),
        subscription_id=str(uuid.uuid4()),
        client_id=str(uuid.uuid4()),
        client_secret=secrets.token_urlsafe(32),
        object_id=str(uuid.uuid4()),
    )
    temporary = file.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump(asdict(account), stream)
    temporary.replace(file)
    return account
