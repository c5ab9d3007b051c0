from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import TEMPLATE

if TYPE_CHECKING:
    from tests.plugin.conftest import Specs

WITH_TYPO = TEMPLATE.replace("vm_size:", "vm_sise:")
TYPO = "*specs/debian/template.yaml:3: builder.vm_sise: *did you mean 'vm_size'*"


class TestBrokenTemplate:
    def test_is_an_error_of_collection_with_file_and_line(self, specs: Specs) -> None:
        specs.add(template=WITH_TYPO)
        result = specs.run("specs")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*ERROR collecting specs/debian/template.yaml*", TYPO])
        result.stdout.no_fnmatch_line("*Traceback*")
        assert specs.cloud.log == ["closed"]

    def test_is_told_once_also_if_only_tests_were_selected(self, specs: Specs) -> None:
        specs.add(template=WITH_TYPO)
        result = specs.run("specs/debian/test_scale_set.py")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines([TYPO])

    def test_lets_other_specs_run_where_the_user_goes_on(self, specs: Specs) -> None:
        specs.add("debian", template=WITH_TYPO)
        specs.add("ubuntu")
        result = specs.run("specs", "--continue-on-collection-errors")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.assert_outcomes(passed=9, errors=1, skipped=2)
        assert "ubuntu: publish from ss" in specs.cloud.log
        assert not any(line.startswith("debian") for line in specs.cloud.log)

    def test_is_no_concern_of_a_run_of_another_spec(self, specs: Specs) -> None:
        specs.add("debian", template=WITH_TYPO)
        specs.add("ubuntu")
        result = specs.run("specs/ubuntu")
        assert result.ret == pytest.ExitCode.OK
        result.stdout.no_fnmatch_line("*debian*")

    def test_in_a_folder_above_is_no_concern_of_a_run_of_one_below(self, specs: Specs) -> None:
        folder = specs.add("ubuntu")
        (folder.parent / "template.yaml").write_text(WITH_TYPO)
        assert specs.run("specs/ubuntu").ret == pytest.ExitCode.OK
        result = specs.run("specs")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.assert_outcomes(errors=1)

    def test_may_be_empty(self, specs: Specs) -> None:
        specs.add(template="")
        result = specs.run("specs")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*specs/debian/template.yaml*"])

    def test_may_be_one_of_two(self, specs: Specs) -> None:
        folder = specs.add()
        (folder / "template.json").write_text("{}")
        result = specs.run("specs")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*the folder has another template*"])


class TestTemplateFixture:
    def test_gives_the_template_of_this_very_run(self, specs: Specs) -> None:
        template = TEMPLATE.replace(
            "gallery:", "managed: {resource_group: images, name: 'i-{{ run.id }}'}\n  gallery:", 1
        )
        specs.add(
            template=template, test_machine="def test_x(template):\n    print('NAME', template.image.managed.name)\n"
        )
        result = specs.run("specs", "-s")
        run_id = next(line.rpartition("run ")[2] for line in result.outlines if ", run " in line)
        result.stdout.fnmatch_lines([f"*NAME i-{run_id}*"])


class TestMatrix:
    def test_gives_specs_that_share_the_tests(self, specs: Specs) -> None:
        template = TEMPLATE.replace("definition: debian", "definition: '{{ var.release }}'")
        specs.add("debian", template=template + "matrix: {release: [bookworm, trixie]}\n")
        specs.run("specs").assert_outcomes(passed=18)
        # Both are built at once, and either may be the first.
        assert sorted(line for line in specs.cloud.log if "publish" in line) == [
            "debian-bookworm: publish from ss",
            "debian-trixie: publish from ss",
        ]

    def test_rows_are_chosen_by_their_variables(self, specs: Specs) -> None:
        template = TEMPLATE.replace("definition: debian", "definition: '{{ var.release }}'")
        specs.add("debian", template=template + "matrix: {release: [bookworm, trixie]}\n")
        specs.run("specs", "--vi-var", "release=trixie").assert_outcomes(passed=9)
