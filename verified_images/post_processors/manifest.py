"""The ``manifest`` post-processor: a record of the image is added to a JSON file, in Packer's format.

Source: Packer's page "Manifest Post-Processor".
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verified_images.post_processors.artifact import BUILDER_TYPE
from verified_images.templates.model import reveal

if TYPE_CHECKING:
    from verified_images.post_processors.artifact import Artifact
    from verified_images.templates.model import Manifest


def add_to_manifest(manifest: Manifest, artifact: Artifact) -> None:
    """Add the image's record to the file, whose earlier records stay. Secrets among the custom data are masked.

    Raises:
        ValueError: the file is there, but is no manifest.
        OSError: it cannot be read or written.
    """
    path = artifact.file.parent / manifest.output
    builds = [*_earlier_builds(path), _record(manifest, artifact)]
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, json.dumps({"builds": builds, "last_run_uuid": artifact.run_uuid}, indent=2))
    artifact.step(f"the image is recorded in '{path}'")


def _earlier_builds(path: Path) -> list[Any]:
    try:
        known = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise ValueError(f"'{path}' is no JSON: {error}; move it away") from error
    if not isinstance(known, dict) or not isinstance(known.get("builds"), list):
        raise ValueError(f"'{path}' has no list of builds, as Packer's manifests have; move it away")  # noqa: TRY004
    return list(known["builds"])


def _record(manifest: Manifest, artifact: Artifact) -> dict[str, Any]:
    custom = {name: artifact.masker(reveal(value)) for name, value in manifest.custom_data.items()}
    return {
        "name": artifact.name,
        "builder_type": BUILDER_TYPE,
        "build_time": int(time.time()),
        "files": None,
        "artifact_id": artifact.id,
        "packer_run_uuid": artifact.run_uuid,
        "custom_data": custom or None,
    }


def _write(path: Path, text: str) -> None:
    """Replace the file in one step, so that whoever reads it at any time finds a whole one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
