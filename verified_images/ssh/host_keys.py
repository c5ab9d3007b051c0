"""Host keys: read from what Azure tells of a machine, and compared with what the machine shows.

cloud-init prints the public host keys on the serial console between two markers, so that they can be learned over
Azure Resource Manager instead of being trusted on first use.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_BEGIN, _END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"
_KEY = re.compile(r"\b(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) +([A-Za-z0-9+/]{40,}={0,2})")
_RSA_ALGORITHMS = ("rsa-sha2-512", "rsa-sha2-256")  # RFC 8332: one kind of key, three signature algorithms


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public host key: its ``kind`` ("ssh-ed25519") and its ``blob``, the wire format of RFC 4253."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """The fingerprint as OpenSSH prints it: "SHA256:..."."""
        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The signature algorithms that prove this key (RSA never with SHA-1)."""
        return _RSA_ALGORITHMS if self.kind == "ssh-rsa" else (self.kind,)

    def __str__(self) -> str:
        return f"{self.kind} {base64.b64encode(self.blob).decode('ascii')}"


def read_host_keys(text: str) -> tuple[HostKey, ...]:
    """Return the keys in lines of a .pub file, of ``ssh-keyscan`` or of known_hosts, in order, each once."""
    found = (_decode(kind, encoded) for kind, encoded in _KEY.findall(text))
    return tuple(dict.fromkeys(key for key in found if key is not None))


def read_serial_log(log: str) -> tuple[HostKey, ...]:
    """Return the keys of the last complete block that cloud-init wrote to the serial console; () when there is none.

    The last one, because a machine that boots anew as another instance makes new keys. Time stamps or other
    prefixes of the lines are allowed.
    """
    begin, block = -1, ""
    while (begin := log.find(_BEGIN, begin + 1)) != -1:
        end = log.find(_END, begin)
        if end != -1:
            block = log[begin:end]
    return read_host_keys(block)


def describe(keys: Iterable[HostKey]) -> str:
    """Return kinds and fingerprints for a message."""
    return ", ".join(f"{key.kind} {key.fingerprint}" for key in keys)


def _decode(kind: str, encoded: str) -> HostKey | None:
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None
    # A line cut short by the console's buffer still decodes: the blob must name its own kind and be whole.
    return HostKey(kind, blob) if _fields(blob)[:1] == [kind.encode("ascii")] else None


def _fields(blob: bytes) -> list[bytes]:
    """Return the length-prefixed fields of RFC 4251; [] when they do not fill the blob exactly."""
    fields, rest = [], blob
    while rest:
        size = int.from_bytes(rest[:4], "big")
        if len(rest) < 4 + size:
            return []
        fields.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    return fields
