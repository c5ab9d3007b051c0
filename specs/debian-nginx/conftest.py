"""What the tests of this image share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from verified_images.templates.model import Template


@pytest.fixture
def page(template: Template) -> str:
    """The page that the image is to serve."""
    return (template.file.parent / "files/index.html").read_text("utf-8")
