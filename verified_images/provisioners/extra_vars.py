"""Ansible's ``--extra-vars``, handed over in files, since the process list shows what stands on a command line."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from pydantic import SecretStr

from verified_images.templates.ansible import EXTRA_VARS
from verified_images.templates.model import reveal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from verified_images.naming import Run


def arguments(given: Iterable[SecretStr | str], store: Callable[[str], str]) -> Iterator[str]:
    """Yield the arguments; variables that hold a secret are given to ``store``, which returns the file's path."""
    before = ""
    for argument in given:
        text = reveal(argument)
        if not isinstance(argument, SecretStr):
            yield text
        elif before in EXTRA_VARS:
            yield f"@{store(_as_file(text))}"
        else:
            flag, _, value = text.partition("=")
            yield from (flag, f"@{store(_as_file(value))}")
        before = text


def build_variables(run: Run) -> str:
    """Return the variables that playbooks written for Packer ask for."""
    return json.dumps({"packer_build_name": run.spec, "packer_builder_type": "azure-arm"})


def _as_file(text: str) -> str:
    """Return the variables as Ansible takes them from a file; it reads NAME=VALUE on a command line only."""
    text = text.strip()
    if text.startswith(("{", "[")):
        return text
    # Packer's users put quotes around it for a shell that is not there.
    words = shlex.split(text)
    if len(words) == 1 and words[0].count("=") > 1 and " " in words[0]:
        words = shlex.split(words[0])
    return json.dumps(dict(_pair(word) for word in words))


def _pair(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name, value
