"""The functions of Packer's template engine, as its page "Template engine" lists them."""

from __future__ import annotations

import html
import json
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from verified_images.templates.nearest import did_you_mean, nearest
from verified_images.templates.packer.go_syntax import GoTemplateError
from verified_images.templates.packer.times import RFC3339, format_go_time, format_strftime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from verified_images.naming import Run

PACKER_VERSION = "1.16.0"
"""The version of Packer that templates are read like."""
LARGEST_TEXT = 1024 * 1024
"""No text may grow beyond this number of characters."""
BUILD_VALUES_LATER = (
    "ID", "Host", "Password", "PackerHTTPAddr", "PackerHTTPIP", "PackerHTTPPort", "SSHPublicKey", "SSHPrivateKey",
    "SSHPrivateKeyFile", "WinRMPassword", "SourceImageName", "TenantID", "SubscriptionID", "TempDeploymentName",
    "TempComputeName", "TempNicName", "TempOSDiskName", "TempResourceGroupName", "TempNsgName", "TempKeyVaultName",
    "TempSubnetName", "TempDataDiskName", "TempPublicIPAddressName", "TempVirtualNetworkName",
)  # fmt: skip
"""What Packer knows of a build only while it runs."""

_ELSEWHERE = {
    "consul_key": "Consul",
    "vault": "Vault",
    "aws_secretsmanager": "AWS Secrets Manager",
    "aws_secretsmanager_raw": "AWS Secrets Manager",
}


def refuse_secret_store(function: str) -> str:
    """Return the sentence about a function that would ask a secret store."""
    return (
        f"'{function}' is not supported: read the value from {_ELSEWHERE[function]} yourself, and give it as a "
        "sensitive variable (--vi-var NAME=..., or the environment)"
    )


SECRET_STORES = tuple(_ELSEWHERE)
"""The functions that would ask a secret store."""


def later(name: str) -> str:
    """Return the sentence about a value that is known only while the build runs."""
    return (
        f"the build's {name} is known only while it runs, not when the template is loaded; ask the machine for it in "
        "a script instead"
    )


class Functions:
    """The functions, for one build of one template.

    ``build`` holds what is known of the build in advance; ``environment`` is None where Packer allows no ``env``.
    """

    def __init__(
        self,
        run: Run,
        folder: Path,
        working_folder: Path,
        *,
        build: Mapping[str, str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._run = run
        self._folder = folder
        self._working_folder = working_folder
        self._build = build
        self._environment = environment
        self._drawn = 0
        self._table: dict[str, Callable[..., Any]] = {
            **_GENERAL,
            "build": self._build_value,
            "build_name": lambda: self._build_value("BuildName"),
            "build_type": lambda: "azure-arm",
            "env": self._env,
            "isotime": self._isotime,
            "strftime": lambda layout: format_strftime(self._now, _text(layout)),
            "timestamp": lambda: str(int(self._now.timestamp())),
            "pwd": lambda: str(self._working_folder),
            "template_dir": lambda: str(self._folder),
            "uuid": self._uuid,
            "packer_version": lambda: PACKER_VERSION,
        }

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401 - what a template computes with
        """Return what a function gives.

        Raises:
            GoTemplateError: there is no such function, or it does not take these arguments.
        """
        if name in _ELSEWHERE:
            raise GoTemplateError(refuse_secret_store(name))
        if name == "sed":
            raise GoTemplateError("Packer has removed 'sed'; use 'replace' or 'replace_all'")
        function = self._table.get(name)
        if function is None:
            raise GoTemplateError(f"there is no function '{name}'{did_you_mean(name, [*self._table, 'user'])}")
        try:
            value = function(*arguments)
        except GoTemplateError:
            raise
        except (TypeError, ValueError, ArithmeticError, IndexError) as error:
            raise GoTemplateError(f"'{name}' does not take these {len(arguments)} argument(s)") from error
        return check_size(value)

    @property
    def _now(self) -> datetime:
        return self._run.created

    def _isotime(self, layout: str = RFC3339) -> str:
        return format_go_time(self._now, _text(layout))

    def _uuid(self) -> str:
        # The same for each loading of one run, and another for each call.
        self._drawn += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._run.id}-{self._drawn}"))

    def _env(self, name: str) -> str:
        if self._environment is None:
            raise GoTemplateError(
                f"'env' can be used in 'variables' only: declare \"name\": \"{{{{env `{name}`}}}}\" there and use "
                "{{user `name`}} here"
            )
        return self._environment.get(_text(name), "")

    def _build_value(self, name: str) -> str:
        if name in self._build:
            return self._build[name]
        if name in BUILD_VALUES_LATER:
            raise GoTemplateError(later(name))
        raise GoTemplateError(
            f"a build has no '{name}'{did_you_mean(_text(name), [*self._build, *BUILD_VALUES_LATER])}"
        )


def clean_resource_name(text: str) -> str:
    """Return ``text`` with what Azure takes in no name replaced by "-", and "-", "_" and "." cut from its end."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", _text(text)).rstrip("-_.")


def check_size(value: Any) -> Any:  # noqa: ANN401 - what a template computes with
    """Return the value unless it is a text that has grown too large."""
    if isinstance(value, str) and len(value) > LARGEST_TEXT:
        raise GoTemplateError(f"the text grows beyond {LARGEST_TEXT} characters")
    return value


def explain_user(name: str, known: Mapping[str, object]) -> str:
    """Return the sentence about a user variable that is not declared."""
    found = nearest(name, known)
    hint = f"did you mean '{found}'?" if found else "declare it in 'variables'"
    return f"the user variable '{name}' is not declared; {hint}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise GoTemplateError("text is needed as argument")
    return value


def _split(text: str, separator: str, place: int) -> str:
    parts = _text(text).split(_text(separator)) if separator else list(text)
    if not 0 <= place < len(parts):
        raise GoTemplateError(f"'split' gives {len(parts)} part(s), so that there is no part {place}")
    return parts[place]


def _replace(old: str, new: str, count: int, text: str) -> str:
    times = _text(text).count(_text(old))
    if times * len(_text(new)) + len(text) > LARGEST_TEXT:
        raise GoTemplateError(f"the text grows beyond {LARGEST_TEXT} characters")
    return text.replace(old, new, count)


def _format(layout: str, *values: object) -> str:
    verbs = re.findall(r"%[-+# 0]*(\d*)(?:\.(\d+))?", _text(layout))
    if any(len(number) > 4 for verb in verbs for number in verb):  # noqa: PLR2004 - nobody writes wider ones
        raise GoTemplateError("the widths in a format are too large")
    verbs_of_go = re.compile(r"%%|%[-+# 0]*\d*(?:\.\d+)?([a-zA-Z])")
    written = [match[1] for match in verbs_of_go.finditer(layout) if match[1]]
    shown = (
        _quote(value) if verb == "q" else show(value) if verb == "v" else value
        for verb, value in zip(written, values, strict=True)
    )
    return re.sub(r"(?<!%)((?:%%)*%[-+# 0]*\d*(?:\.\d+)?)[vq]", r"\1s", layout) % tuple(shown)


def _quote(value: object) -> str:
    return json.dumps(_text(value), ensure_ascii=False)


def _print(*values: object) -> str:
    """Join values as Go's print does: with a space between two of which neither is text."""
    parts = [show(value) for value in values]
    for place in range(1, len(parts)):
        if not isinstance(values[place - 1], str) and not isinstance(values[place], str):
            parts[place] = f" {parts[place]}"
    return "".join(parts)


def _html(text: str) -> str:
    return html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")


def _slice(text: str, *bounds: int) -> str:
    data = _text(text).encode()
    if len(bounds) > 2 or not all(0 <= bound <= len(data) for bound in bounds):  # noqa: PLR2004 - two ends
        raise GoTemplateError(f"'slice' takes numbers from 0 to {len(data)}, the length of the text")
    start, end = (*bounds, 0, len(data))[:2] if len(bounds) != 1 else (bounds[0], len(data))
    return data[start:end].decode(errors="replace")


def _compare(left: Any, right: Any) -> int:  # noqa: ANN401 - what a template computes with
    if isinstance(left, str) is not isinstance(right, str):
        raise GoTemplateError("these two cannot be compared: one is text, the other is not")
    return int(left > right) - int(left < right)


def _length(value: object) -> int:
    return len(_text(value).encode())


def truth(value: object) -> bool:
    """Tell whether Go's ``if`` takes the value for true: all but "", 0, false and nil."""
    return bool(value)


_GENERAL: dict[str, Callable[..., Any]] = {
    "split": _split,
    "upper": lambda text: _text(text).upper(),
    "lower": lambda text: _text(text).lower(),
    "replace": _replace,
    "replace_all": lambda old, new, text: _replace(old, new, -1, text),
    "clean_resource_name": clean_resource_name,
    "clean_image_name": clean_resource_name,
    "eq": lambda left, *rights: any(left == right for right in rights),
    "ne": lambda left, right: left != right,
    "lt": lambda left, right: _compare(left, right) < 0,
    "le": lambda left, right: _compare(left, right) <= 0,
    "gt": lambda left, right: _compare(left, right) > 0,
    "ge": lambda left, right: _compare(left, right) >= 0,
    "not": lambda value: not truth(value),
    "and": lambda *values: next((value for value in values if not truth(value)), values[-1]),
    "or": lambda *values: next((value for value in values if truth(value)), values[-1]),
    "len": _length,
    "print": _print,
    "println": lambda *values: " ".join(map(show, values)) + "\n",
    "printf": _format,
    "html": lambda *values: _html("".join(map(show, values))),
    "index": lambda text, place: _text(text).encode()[place],
    "slice": _slice,
    "urlquery": lambda *values: quote_plus("".join(map(show, values))),
    "js": lambda *values: json.dumps("".join(map(show, values)))[1:-1].replace("'", "\\'"),
}


def show(value: object) -> str:
    """Return a value as Go writes it into text."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "<no value>"
        case _:
            return str(value)
