"""Versions X.Y.Z of images: which is the latest, which comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST_VERSION = "1.0.0"


def version_key(version: str) -> tuple[int, ...]:
    """Return what versions are compared by: their numbers, since 1.0.10 comes after 1.0.9."""
    return tuple(int(part) for part in version.split("."))


def latest_version(versions: Iterable[str]) -> str | None:
    """Return the highest version, or None where there is none; what is not made of numbers is passed over."""
    numbered = [version for version in versions if all(part.isdigit() for part in version.split("."))]
    return max(numbered, key=version_key, default=None)


def next_version(versions: Iterable[str]) -> str:
    """Return the next patch number after the highest version, 1.0.0 where there is none."""
    latest = latest_version(versions)
    if latest is None:
        return FIRST_VERSION
    major, minor, patch = version_key(latest)
    return f"{major}.{minor}.{patch + 1}"
