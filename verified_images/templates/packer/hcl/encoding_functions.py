"""HCL's functions that encode, decode and hash, and those on addresses."""

from __future__ import annotations

import base64
import binascii
import csv
import gzip
import hashlib
import io
import ipaddress
import json
from typing import Any
from urllib.parse import quote_plus
from uuid import NAMESPACE_DNS, NAMESPACE_OID, NAMESPACE_URL, NAMESPACE_X500, UUID, uuid5

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from verified_images.templates.packer.hcl.function import Function
from verified_images.templates.packer.hcl.text_functions import json_text
from verified_images.templates.packer.hcl.values import MOST_ITEMS, HclError, to_text, whole

_NAMESPACES = {"dns": NAMESPACE_DNS, "url": NAMESPACE_URL, "oid": NAMESPACE_OID, "x500": NAMESPACE_X500}


def _decode(text: str, encoding: str = "utf-8") -> str:
    try:
        return base64.b64decode(text, validate=True).decode(encoding)
    except binascii.Error as error:
        raise HclError("this is not Base64") from error
    except (UnicodeDecodeError, LookupError) as error:
        raise HclError(f"the data are not text in {encoding}") from error


def _encode(text: str, encoding: str = "utf-8") -> str:
    try:
        return base64.b64encode(text.encode(encoding)).decode()
    except (UnicodeEncodeError, LookupError) as error:
        raise HclError(f"the text cannot be written in {encoding}") from error


def _as_hcl(value: Any) -> Any:  # noqa: ANN401 - values of HCL
    """Return what JSON or YAML gave as values of HCL."""
    if isinstance(value, dict):
        return {to_text(key): _as_hcl(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_hcl(item) for item in value]
    if isinstance(value, bool | str | None):
        return value
    return whole(value) if isinstance(value, int | float) else str(value)


def _json_decode(text: str) -> Any:  # noqa: ANN401 - values of HCL
    try:
        return _as_hcl(json.loads(text))
    except ValueError as error:
        raise HclError("this is not JSON") from error


def _yaml_decode(text: str) -> Any:  # noqa: ANN401 - values of HCL
    if len(text) > MOST_ITEMS or ("&" in text and "*" in text and text.count("*") > 100):  # noqa: PLR2004 - a bomb
        raise HclError("the text is too large")
    try:
        return _as_hcl(YAML(typ="safe", pure=True).load(text))
    except (YAMLError, AttributeError, AssertionError, NotImplementedError) as error:
        raise HclError("this is not YAML") from error


def _yaml_encode(value: Any) -> str:  # noqa: ANN401 - values of HCL
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    stream = io.StringIO()
    writer.dump(value, stream)
    return stream.getvalue()


def _csv_decode(text: str) -> list[dict[str, str]]:
    try:
        return [dict(row) for row in csv.DictReader(io.StringIO(text), strict=True)]
    except csv.Error as error:
        raise HclError("this is not CSV") from error


def _uuid5(namespace: str, name: str) -> str:
    try:
        return str(uuid5(_NAMESPACES.get(namespace) or UUID(namespace), name))
    except ValueError as error:
        raise HclError("the namespace must be dns, url, oid, x500 or a UUID") from error


def _hash(name: str) -> Function:
    return Function("s", lambda text: hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest())


def _network(prefix: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(prefix, strict=False)
    except ValueError as error:
        raise HclError("a range of addresses is needed, such as 10.0.0.0/16") from error


def _host(prefix: str, number: int) -> str:
    network = _network(prefix)
    if not -network.num_addresses <= number < network.num_addresses:
        raise HclError(f"the range has no host {number}")
    return str(network[number])


def _subnet(prefix: str, bits: int, number: int) -> str:
    network = _network(prefix)
    length = network.prefixlen + bits
    if not 0 <= bits <= network.max_prefixlen - network.prefixlen or not 0 <= number < 2**bits:
        raise HclError(f"the range has no subnet {number} with {bits} more bits")
    first = int(network.network_address) + number * 2 ** (network.max_prefixlen - length)
    return str(type(network)((first, length)))


def _subnets(prefix: str, *bits: int) -> list[str]:
    network = _network(prefix)
    place, found = int(network.network_address), []
    for more in bits:
        length = network.prefixlen + more
        if not 0 < more <= network.max_prefixlen - network.prefixlen:
            raise HclError(f"the range has no subnet with {more} more bits")
        size = 2 ** (network.max_prefixlen - length)
        place = -(-place // size) * size
        if place + size > int(network.broadcast_address) + 1:
            raise HclError("the range has no room for all the subnets")
        found.append(str(type(network)((place, length))))
        place += size
    return found


FUNCTIONS: dict[str, Function] = {
    "base64decode": Function("s", _decode),
    "base64encode": Function("s", _encode),
    "base64gzip": Function("s", lambda text: base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()),
    "cidrhost": Function("si", _host),
    "cidrnetmask": Function("s", lambda prefix: str(_network(prefix).netmask)),
    "cidrsubnet": Function("sii", _subnet),
    "cidrsubnets": Function("si+", _subnets),
    "csvdecode": Function("s", _csv_decode),
    "jsondecode": Function("s", _json_decode),
    "jsonencode": Function("*", json_text),
    "md5": _hash("md5"),
    "sha1": _hash("sha1"),
    "sha256": _hash("sha256"),
    "sha512": _hash("sha512"),
    "textdecodebase64": Function("ss", _decode),
    "textencodebase64": Function("ss", _encode),
    "urlencode": Function("s", quote_plus),
    "uuidv5": Function("ss", _uuid5),
    "yamldecode": Function("s", _yaml_decode),
    "yamlencode": Function("*", _yaml_encode),
}
"""The functions by name."""
