"""The account of an installation: made at first use, kept beside its state."""

from __future__ import annotations

import json
import os
import secrets
import uuid
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Account:
    """The tenant, the subscription and the application of an installation, and the key (PEM) that signs its tokens."""

    tenant_id: str
    subscription_id: str
    client_id: str
    client_secret: str = field(repr=False)
    object_id: str
    signing_key: str = field(default="", repr=False)


def ensure_account(file: Path) -> Account:
    """Give the account kept in ``file``; make one, readable by its owner alone, when there is none."""
    if file.exists():
        account = Account(**json.loads(file.read_text()))
        if account.signing_key:
            return account
        account = replace(account, signing_key=_make_key())
        _write(file, account)
        return account
    account = Account(
        tenant_id=str(uuid.uuid4()),
        subscription_id=str(uuid.uuid4()),
        client_id=str(uuid.uuid4()),
        client_secret=secrets.token_urlsafe(32),
        object_id=str(uuid.uuid4()),
        signing_key=_make_key(),
    )
    _write(file, account)
    return account


def _make_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _write(file: Path, account: Account) -> None:
    temporary = file.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump(asdict(account), stream)
    temporary.replace(file)
