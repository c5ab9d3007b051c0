"""What goes into an image, as a fingerprint: two builds with the same one do the same to the same source.

Values of secrets and the address of whoever builds are left out, and so is whatever a template makes of its run.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from verified_images.naming import DEFAULT_LIFETIME, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from verified_images.templates.model import Template

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_PARTS = {"builder", "provisioners", "image", "smoke", "error_cleanup_provisioner"}
_CHUNK = 1024 * 1024


def fixed_run(spec: str) -> Run:
    """Return the run for which a template is rendered to be compared: always the same."""
    return Run("a" * 8, spec, "nobody", _BEGINNING, _BEGINNING + DEFAULT_LIFETIME)


def fingerprint_image(template: Template) -> str:
    """Return the fingerprint, 64 hexadecimal digits, of all that is done to the machine, files included.

    ``template`` is rendered for ``fixed_run``. The smoke test is no part of it.
    """
    return _digest(
        [_describe(template, _PARTS - {"smoke"}), *describe_files(named_paths(template), template.file.parent)]
    )


def fingerprint(template: Template, tests: Iterable[Path], source_version: str) -> str:
    """Return the fingerprint of the image and of how it is tested, from a source of this exact version."""
    folder = template.file.parent
    described = [f"{_name(file, folder)} {_digest_file(file)}" for file in sorted(set(tests))]
    smoke = _describe(template, {"smoke"})
    return _digest([fingerprint_image(template), source_version, smoke, *described])


def named_paths(template: Template) -> tuple[Path, ...]:
    """Return the files and folders that the template's provisioners name, sorted."""
    provisioners = [*template.provisioners, *filter(None, [template.error_cleanup_provisioner])]
    folder = template.file.parent
    return tuple(sorted({folder / name for each in provisioners for _, name in each.named_files()}))


def digest_files(files: Iterable[Path]) -> str:
    """Return one digest for the content of several files; one that cannot be read counts as empty."""
    return _digest(_digest_file(file) for file in files)


def _describe(template: Template, parts: set[str]) -> str:
    values = template.model_dump(mode="json", include=parts)
    values.get("builder", {}).pop("allowed_inbound_ip_addresses", None)
    # Packer's template_dir is in it as an absolute path, which is another one on another machine.
    return json.dumps(values, sort_keys=True).replace(json.dumps(str(template.file.parent.absolute()))[1:-1], ".")


def describe_files(paths: Iterable[Path], folder: Path) -> Iterator[str]:
    """Yield a line for each file, or file in a folder: its name as seen from ``folder``, and what is in it."""
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                yield f"{_name(file, folder)} {file.stat().st_mode & 0o111 != 0} {_digest_file(file)}"


def _name(file: Path, folder: Path) -> str:
    try:
        return file.absolute().relative_to(folder.absolute()).as_posix()
    except ValueError:
        return file.name


def _digest_file(file: Path) -> str:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        return "unreadable"
    return digest.hexdigest()


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
