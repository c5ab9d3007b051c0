"""The post-processors of Packer templates."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.templates.packer.conftest import Load, Mistakes, template, warnings_of
from verified_images.templates.model import PostProcessor


class TestPostProcessors:
    def load(self, load: Load, *entries: object) -> tuple[tuple[PostProcessor, ...], list[tuple[str, str]]]:
        loaded = load(json.dumps(json.loads(template()) | {"post-processors": list(entries)}))
        return loaded[0].template.post_processors, warnings_of(loaded)

    def test_are_loaded_in_each_form(self, load: Load) -> None:
        found, warnings = self.load(
            load,
            "manifest",
            {"type": "manifest", "output": "{{build_name}}.json", "custom_data": {"a": "{{build `BuilderType`}}"}},
            ["manifest", {"type": "shell-local", "inline": ["x"], "env": {"A": "b"}, "inline_shebang": "/bin/bash -e"}],
        )
        assert warnings == []
        expected: list[dict[str, Any]] = [
            {"manifest": {}},
            {"manifest": {"output": "azure-arm.json", "custom_data": {"a": "azure-arm"}}},
            {"manifest": {}},
            {"shell_local": {"inline": ["x"], "env": {"A": "b"}, "interpreter": ["/bin/bash", "-e"]}},
        ]
        assert found == tuple(map(PostProcessor.model_validate, expected))

    def test_may_be_for_some_builds_or_systems(self, load: Load) -> None:
        assert self.load(load, {"type": "manifest", "except": ["azure-arm"]}) == ((), [])
        found, warnings = self.load(load, {"type": "shell-local", "command": "dir", "only_on": ["windows"]})
        assert found == ()
        assert warnings == [("post-processors[0].only_on", "this is left out: it is for windows")]

    def test_without_effect_are_warned_of(self, load: Load) -> None:
        found, warnings = self.load(
            load, {"type": "checksum", "checksum_types": ["sha256"], "output": "a.{{.ChecksumType}}"}, "compress"
        )
        assert [each.checksum is not None for each in found] == [True]
        assert warnings == [
            ("post-processors[0]", "there is nothing to write checksums of: an image in Azure has no files here"),
            ("post-processors[1]", "the post-processor 'compress' has no effect: an image in Azure has no files here"),
        ]

    @pytest.mark.parametrize(
        ("entry", "key_path", "message"),
        [
            (
                "vagrant",
                "",
                ("there is no post-processor 'vagrant' for an image in Azure; known: checksum, manifest, shell-local"),
            ),
            (
                {"type": "manifest", "out": "x"},
                ".out",
                "the post-processor 'manifest' has no option 'out'; did you mean 'output'?",
            ),
            ({"type": "shell-local"}, "", "exactly one of 'inline', 'script', 'scripts' is needed; here is none"),
            (
                {"type": "checksum", "checksum_types": ["crc"]},
                ".checksum_types[0]",
                "'md5', 'sha1', 'sha224', 'sha256', 'sha384' or 'sha512' is needed, not 'crc'",
            ),
        ],
    )
    def test_that_are_wrong_are_told(self, mistakes: Mistakes, entry: object, key_path: str, message: str) -> None:
        text = json.dumps(json.loads(template()) | {"post-processors": [entry]})
        assert [found[1:] for found in mistakes(text)] == [(f"post-processors[0]{key_path}", message)]
