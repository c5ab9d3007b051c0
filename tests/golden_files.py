"""Golden files: what is sent to ARM, kept as JSON so that a change of it is reviewed as a diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "golden"


def compare_golden(name: str, value: Any, *, update: bool) -> None:  # noqa: ANN401 - any JSON
    """Compare a value with tests/golden/NAME.json, or write that file."""
    file = FOLDER / f"{name}.json"
    text = json.dumps(value, indent=2, sort_keys=True) + "\n"
    if update:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert file.exists(), f"{file} is missing: run pytest with --update-golden and review what it wrote"
    assert json.loads(text) == json.loads(file.read_text()), (
        f"what is sent differs from {file}: if that is right, run pytest with --update-golden"
    )
