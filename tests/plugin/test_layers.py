"""When a machine may begin with what earlier runs have left: where nothing is to be published, unless asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Specs


@pytest.mark.parametrize(
    ("arguments", "layered"),
    [
        ([], False),
        (["--vi-no-publish"], True),
        (["--vi-stop-after=provision"], True),
        (["--vi-stop-after=publish"], False),
        (["--vi-keep"], True),
        (["-k", "test_nginx_is_enabled"], True),
        (["--vi-layers"], True),
        (["--vi-no-publish", "--vi-no-layers"], False),
        (["--vi-cloud=azure", "--vi-subscription=s", "--vi-no-publish"], False),
        (["--vi-cloud=azure", "--vi-subscription=s", "--vi-no-publish", "--vi-layers"], True),
    ],
    ids=str,
)
def test_a_machine_begins_with_a_layer_where(specs: Specs, arguments: list[str], layered: bool) -> None:  # noqa: FBT001
    specs.add()
    specs.run("specs", *arguments)
    assert specs.cloud.layered == (["debian"] if layered else [])


def test_with_and_without_layers_at_once_is_refused(specs: Specs) -> None:
    specs.add()
    result = specs.run("specs", "--vi-layers", "--vi-no-layers")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --vi-layers has no sense beside --vi-no-layers"])
