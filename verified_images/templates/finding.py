"""Which files of a folder are templates. Every folder of every pytest run is looked into: nothing heavy is imported.

A folder holds templates if it holds

- ``template.yaml``, ``template.yml`` or ``template.json``: the native kind, one a folder; or
- ``*.json`` with ``builders``, be it named ``template.json``: Packer's JSON, each file a template of its own; or
- ``*.pkr.hcl`` or ``*.pkr.json``: Packer's HCL, all of them together one template that is named by the folder. Where
  two files with a build declare the same thing, which Packer would refuse, each of them is a template of its own.

Packer templates without an azure-arm builder are none of ours. Files of variables (``*.pkrvars.hcl``,
``*.pkrvars.json``, a ``*.json`` without ``builders``) are no templates.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from verified_images.errors import TemplateError, TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NATIVE_NAMES = ("template.yaml", "template.yml", "template.json")
HCL_ENDINGS = (".pkr.hcl", ".pkr.json")
LARGEST_FILE = 1024 * 1024
"""Larger files are refused, in bytes; a template is written by hand."""

_AZURE_ARM = "azure-arm"
_NOT_JSON_TEMPLATES = (*HCL_ENDINGS, ".pkrvars.json")
# Other tools use the native names too (ARM deployments, AWS SAM): a file with none of our keys is not ours, one with
# a misspelt key beside a right one is, and so is an empty one.
_OUR_KEYS = re.compile(
    r"""(?m)\A\s*(?:\{\s*\}\s*)?\Z|^(?:[\s{]*["'])?(?:builder|provisioners|image|smoke|extends)["']?\s*:"""
)
_BLOCK = re.compile(
    r'(?m)^\s*(?P<type>(?:source|data)(?=\s+"[^"\n]+"\s+")|variable|local)\s+'
    r'"(?P<name>[^"\n]+)"(?:\s+"(?P<second>[^"\n]+)")?\s*\{'
)
_LOCALS = re.compile(r"(?m)^\s*locals\s*\{(?P<body>[^\n]*\}|.*?^\})", re.DOTALL)
_BUILD = re.compile(r"(?m)^\s*build\s*\{")


def find_templates(folder: Path) -> tuple[Path, ...]:
    """Return the templates of a folder, sorted; the folder itself stands for its files of HCL if they are one template.

    Raises:
        TemplateError: it has several native templates, or native ones and Packer's.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return ()
    packer = [
        folder / name
        for name in names
        if name.endswith(".json") and not name.endswith(_NOT_JSON_TEMPLATES) and _is_ours(folder / name)
    ]
    packer += _hcl_templates(folder, [folder / name for name in names if name.endswith(HCL_ENDINGS)])
    native = [folder / name for name in NATIVE_NAMES if name in names and _is_native(folder / name)]
    for other in native[1:]:
        _fail(other, f"the folder has another template, '{native[0].name}'; keep one of them")
    if native and packer:
        beside = "its *.pkr.hcl" if packer[0] == folder else f"'{packer[0].name}'"
        _fail(
            native[0], f"the folder has a template of Packer too, {beside}; keep one kind, or give each its own folder"
        )
    return (*native, *packer)


def holds_templates(folder: Path) -> bool:
    """Tell whether a folder has templates, be they such that do not go together."""
    try:
        return bool(find_templates(folder))
    except TemplateError:
        return True


def is_packer_json(file: Path) -> bool:
    """Tell whether a file is a JSON template of Packer, be it one with a mistake in its syntax."""
    if file.suffix.lower() != ".json":
        return False
    text = read_beginning(file)
    if '"builders"' not in text:
        return False
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return '"builder"' not in text
    return isinstance(data, dict) and "builders" in data


def read_beginning(file: Path) -> str:
    """Return the text of a file, or of the part of it that a template could be; nothing if it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(LARGEST_FILE + 1).decode("utf-8-sig", errors="replace")
    except (OSError, ValueError):
        return ""


def _is_ours(file: Path) -> bool:
    return is_packer_json(file) and _AZURE_ARM in read_beginning(file)


def _is_native(file: Path) -> bool:
    return not is_packer_json(file) and _OUR_KEYS.search(read_beginning(file)) is not None


def _hcl_templates(folder: Path, files: list[Path]) -> list[Path]:
    """Return the folder if its files are one template, or those that are templates of their own."""
    texts = {file: read_beginning(file) for file in files}
    if not any(_AZURE_ARM in text for text in texts.values()):
        return []
    building = [file for file, text in texts.items() if file.suffix == ".hcl" and _BUILD.search(text)]
    declared = [set(_declared(texts[file])) for file in building]
    if sum(map(len, declared)) == len(set().union(*declared)):
        return [folder]
    return [file for file in building if _AZURE_ARM in texts[file]]


def _declared(text: str) -> Iterator[tuple[str | None, ...]]:
    """Yield what a file of HCL declares that no other file may declare again."""
    for block in _BLOCK.finditer(text):
        yield block["type"], block["name"], block["second"]
    for block in _LOCALS.finditer(text):
        for name in re.findall(r"(?m)(?:^\s{0,4}|\{\s*)([\w-]+)\s*=", block["body"]):
            yield "local", name, None


def _fail(file: Path, message: str) -> None:
    raise TemplateError([TemplateProblem(file, None, "", message)])
