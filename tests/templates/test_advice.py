"""A native template that is right is warned of what its author cannot mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.templates.conftest import HEAD
from verified_images.templates.loading import load_templates

if TYPE_CHECKING:
    from pathlib import Path

BUILDER = HEAD.partition("image:")[0]
DEPROVISION = (
    "this deprovisions the machine; take it out, since it is done in any case after the tests, which need the user "
    "that it removes"
)


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        (HEAD, []),
        (HEAD + "provisioners: [{shell: {inline: [waagent --version]}}, {breakpoint: {disable: true}}]\n", []),
        (
            HEAD + "provisioners: [{shell: {inline: [true, /usr/sbin/waagent -force -deprovision+user]}}]\n",
            [("provisioners[0].shell.inline", DEPROVISION)],
        ),
        (
            HEAD + "provisioners: [{breakpoint: {}}]\n",
            [
                (
                    "provisioners[0].breakpoint",
                    "somebody at a terminal has to say that the build goes on here; elsewhere it is passed",
                )
            ],
        ),
        (
            HEAD + "post_processors: [{manifest: {}}, {checksum: {}}]\n",
            [("post_processors[1].checksum", "an image in Azure has no files to write checksums of")],
        ),
        (
            BUILDER + "image: {skip: true}\nsmoke: {port: 80}\npost_processors: [{manifest: {}}]\n",
            [
                ("post_processors", "these do nothing here: with image.skip nothing is published"),
                ("smoke", "this has no effect: with image.skip no scale set is deployed"),
            ],
        ),
    ],
)
def test_what_is_said_of_a_template(tmp_path: Path, text: str, warnings: list[tuple[str, str]]) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(text)
    (loaded,) = load_templates(file, environment={})
    assert [(warning.key_path, warning.message) for warning in loaded.warnings] == warnings
    assert all(warning.line for warning in loaded.warnings)
