"""Functions that encode, and those that make names out of what they are given.

Source: "String functions for ARM templates"; the hash of uniqueString is a variant of MurmurHash3 with 64 bits, of
which Azure shows 13 characters of base 32; guid is a name-based UUID (RFC 9562, version 5) in Azure's namespace.
"""

# ruff: noqa: ANN401 - the language's values are any JSON values
from __future__ import annotations

import base64
import json
import uuid
from typing import Any
from urllib.parse import quote, unquote, urljoin

from verified_images.emulator.resource_manager.deployments.language.registry import declare, refuse

_NAMESPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_MASK = 0xFFFFFFFF
_FIRST, _SECOND = 0xAB0E9789, 0x239B961B
_MIX = (0x85EBCA6B, 0xC2B2AE35)


def _to_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decode(name: str, text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError as error:
        raise refuse(name, f"the value '{text}' is not valid base 64") from error


def _from_base64(text: str) -> str:
    return _decode("base64ToString", text)


def _json_from_base64(text: str) -> Any:
    try:
        return json.loads(_decode("base64ToJson", text))
    except ValueError as error:
        raise refuse("base64ToJson", f"the value '{text}' holds no JSON") from error


def _to_data_uri(text: str) -> str:
    return f"data:text/plain;charset=utf8;base64,{_to_base64(text)}"


def _from_data_uri(text: str) -> str:
    head, comma, content = text.partition(",")
    if not head.startswith("data:") or not comma:
        raise refuse("dataUriToString", f"the value '{text}' is not a data URI")
    return _decode("dataUriToString", content) if head.endswith(";base64") else unquote(content)


def _uri(base: str, relative: str) -> str:
    return urljoin(base, relative)


def _encode_uri(text: str) -> str:
    return quote(text, safe="")


def _decode_uri(text: str) -> str:
    return unquote(text)


def _guid(*parts: str) -> str:
    if not parts:
        raise refuse("guid", "function requires at least 1 argument(s) while 0 were provided")
    return str(uuid.uuid5(_NAMESPACE, "-".join(parts)))


def unique_string(*parts: str) -> str:
    """Give the 13 characters that Azure makes of some strings."""
    number = _hash("-".join(parts).encode())
    return "".join(_LETTERS[(number << 5 * index >> 59) & 31] for index in range(13))


def _rotate(value: int, by: int) -> int:
    return ((value << by) | (value >> (32 - by))) & _MASK


def _scramble(value: int, before: int, by: int, after: int) -> int:
    return _rotate(value * before & _MASK, by) * after & _MASK


def _finish(value: int) -> int:
    value = (value ^ (value >> 16)) * _MIX[0] & _MASK
    value = (value ^ (value >> 13)) * _MIX[1] & _MASK
    return value ^ (value >> 16)


def _hash(content: bytes) -> int:
    low = high = 0
    whole = len(content) - len(content) % 8
    for at in range(0, whole, 8):
        one, other = (int.from_bytes(content[start : start + 4], "little") for start in (at, at + 4))
        low = _rotate(low ^ _scramble(one, _SECOND, 15, _FIRST), 19)
        low = ((low + high) * 5 + 0x561CCD1B) & _MASK
        high = _rotate(high ^ _scramble(other, _FIRST, 17, _SECOND), 13)
        high = ((high + low) * 5 + 0x0BCAA747) & _MASK
    one, other = (int.from_bytes(content[start : start + 4], "little") for start in (whole, whole + 4))
    low ^= _scramble(one, _SECOND, 15, _FIRST)
    high ^= _scramble(other, _FIRST, 17, _SECOND)
    high ^= len(content)
    low = ((low ^ len(content)) + high) & _MASK
    high = (high + low) & _MASK
    low, high = _finish(low), _finish(high)
    low = (low + high) & _MASK
    return ((high + low) & _MASK) << 32 | low


FUNCTIONS = declare(
    {
        "base64": _to_base64,
        "base64ToJson": _json_from_base64,
        "base64ToString": _from_base64,
        "dataUri": _to_data_uri,
        "dataUriToString": _from_data_uri,
        "guid": _guid,
        "uniqueString": unique_string,
        "uri": _uri,
        "uriComponent": _encode_uri,
        "uriComponentToString": _decode_uri,
    }
)
