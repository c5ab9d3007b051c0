"""The check of sizes finds what is too large, says where, and lets the rest be."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import check_sizes
import pytest

if TYPE_CHECKING:
    from pathlib import Path


def function(name: str, lines: int) -> str:
    return f"def {name}():\n" + "    call()\n" * (lines - 1)


def write(folder: Path, **sources: str) -> None:
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(dedent(source))


def complaints(folder: Path) -> list[str]:
    return [complaint.replace(f"{folder}/", "") for complaint in check_sizes.check_folder(folder)]


def test_a_module_of_400_lines_passes_and_one_of_401_does_not(tmp_path: Path) -> None:
    write(tmp_path, small="\n" * 100, small_too="\n" * 100, enough="x = 1\n" * 400, large="x = 1\n" * 401)

    assert complaints(tmp_path) == [
        "large.py:1: the module has 401 lines; 400 are allowed",
        f"{tmp_path}: the median module has 250 lines; 150 are allowed",
    ]


def test_a_function_of_60_lines_passes_and_one_of_61_does_not(tmp_path: Path) -> None:
    write(tmp_path, module=function("enough", 60) + function("large", 61) + function("small", 2) * 3)

    assert complaints(tmp_path) == ["module.py:61: large has 61 lines; 60 are allowed"]


def test_methods_and_nested_functions_are_functions(tmp_path: Path) -> None:
    body = "            call()\n" * 60
    source = f"class Machine:\n    async def start(self):\n        def wait():\n{body}        wait()\n"
    write(tmp_path, module=source + function("small", 2) * 3)

    assert complaints(tmp_path) == [
        "module.py:2: start has 63 lines; 60 are allowed",
        "module.py:3: wait has 61 lines; 60 are allowed",
    ]


def test_the_median_function_may_have_10_lines(tmp_path: Path) -> None:
    write(tmp_path, module=function("one", 2) + function("two", 10) + function("three", 30))
    assert complaints(tmp_path) == []

    write(tmp_path, module=function("one", 2) + function("two", 11) + function("three", 30))
    assert complaints(tmp_path) == [f"{tmp_path}: the median function has 11 lines; 10 are allowed"]


def test_empty_modules_do_not_hide_large_ones(tmp_path: Path) -> None:
    write(tmp_path, module="x = 1\n" * 160, empty="", also_empty='"""A package."""\n')

    assert complaints(tmp_path) == [f"{tmp_path}: the median module has 160 lines; 150 are allowed"]


@pytest.mark.parametrize(
    "source",
    [
        "def call(a, b, c, d, e, *rest, f, g): ...",
        "class Machine:\n    def call(self, a, b, c, d, e): ...",
        "class Machine:\n    @classmethod\n    def call(cls, a, b, c, d, e): ...",
        "class Machine:\n    @staticmethod\n    def call(a, b, c, d, e): ...",
    ],
)
def test_five_positional_parameters_pass(tmp_path: Path, source: str) -> None:
    write(tmp_path, module=source)

    assert complaints(tmp_path) == []


@pytest.mark.parametrize(
    "source",
    [
        "def call(a, b, /, c, d, e, f): ...",
        "class Machine:\n    def call(self, a, b, c, d, e, f): ...",
        "class Machine:\n    @staticmethod\n    def call(a, b, c, d, e, f): ...",
        "class Machine:\n    def work(self):\n        def call(a, b, c, d, e, f): ...",
    ],
)
def test_six_positional_parameters_do_not_pass(tmp_path: Path, source: str) -> None:
    write(tmp_path, module=source)

    assert [complaint.split(": ", 1)[1] for complaint in complaints(tmp_path)] == [
        "call takes 6 positional parameters; 5 are allowed"
    ]


def test_a_list_of_options_may_be_long(tmp_path: Path) -> None:
    declarations = "    group.addoption('--vi-one', help='One.')\n    parser.addini('vi_one', 'One.')\n" * 40
    head = 'def add_options(parser):\n    """Declares the options."""\n    group = parser.getgroup("vi")\n'
    write(tmp_path, module=head + declarations + function("small", 2) * 3)
    assert complaints(tmp_path) == []

    write(tmp_path, module=head + declarations + "    call()\n" + function("small", 2) * 3)
    assert complaints(tmp_path) == ["module.py:1: add_options has 84 lines; 60 are allowed"]


def test_the_program_prints_what_is_too_large_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, module=function("large", 61) + function("small", 2) * 3)

    assert check_sizes.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"{tmp_path}/module.py:1: large has 61 lines; 60 are allowed\n"


def test_the_program_is_silent_and_ends_with_0_when_all_is_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, module=function("small", 2))

    assert check_sizes.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""


def test_the_program_refuses_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        check_sizes.main([str(tmp_path / "missing")])

    assert "missing is not a folder" in capsys.readouterr().err
