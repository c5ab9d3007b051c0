from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Specs

CONFTEST = """\
import pytest

@pytest.fixture(scope="session")
def warm(host): ...

@pytest.fixture(scope="package")
def cold(instance): ...

@pytest.fixture
def odd(scaleset): ...
"""


@pytest.mark.parametrize(
    ("module", "messages"),
    [
        ("def test_x(hots): ...", ["*test_machine.py:1: test_x: there is no fixture 'hots'; did you mean 'host'?"]),
        ("def test_x(nonsense): ...", ["*: there is no fixture 'nonsense'; `pytest --fixtures` lists those *"]),
        ("def test_x(odd): ...", ["*conftest.py:9: the fixture 'odd' asks for a fixture 'scaleset' *'scale_set'?"]),
        (
            "def test_x(warm): ...\ndef test_y(warm, cold): ...",
            [
                "*conftest.py:3: the fixture 'warm' has the scope 'session' and asks for 'host', *the scope 'module'",
                "*conftest.py:6: the fixture 'cold' has the scope 'package' and asks for 'instance', *",
            ],
        ),
    ],
)
def test_fixtures_that_cannot_be_are_told_before_anything_is_built(
    specs: Specs, module: str, messages: list[str]
) -> None:
    specs.add(test_machine=module)
    specs.pytester.makeconftest(CONFTEST)
    result = specs.run("specs")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(messages)
    assert specs.cloud.log == ["closed"]


FINE = """\
import pytest

def pytest_generate_tests(metafunc):
    if "size" in metafunc.fixturenames:
        metafunc.parametrize("size", [1, 2])

@pytest.fixture(scope="session")
def name(request): return "x"

@pytest.mark.parametrize("port", [80])
def test_given(host, port, size, name, request): ...

@pytest.mark.skip
def test_skipped(nonsense): ...

@pytest.mark.xfail
def test_expected(nonsense): ...

@pytest.fixture(scope="session")
def vm(): return "mine"

@pytest.fixture(scope="session")
def mine(vm): return vm

def test_mine(mine): ...
"""


def test_fixtures_that_are_there_when_the_test_runs_are_no_mistake(specs: Specs) -> None:
    specs.add(test_machine=FINE)
    specs.run("specs", "--vi-allow-skips").assert_outcomes(passed=11, skipped=1, xfailed=1)


def test_an_overriding_fixture_is_no_wider_than_what_it_overrides(specs: Specs) -> None:
    specs.add()
    specs.pytester.path.joinpath("specs/debian/conftest.py").write_text(
        "import pytest\n@pytest.fixture(scope='session')\ndef host(host): ...\n"
    )
    result = specs.run("specs")
    result.stdout.fnmatch_lines(["*conftest.py:2: the fixture 'host' has the scope 'session' and asks for 'host', *"])


def test_what_is_not_in_a_spec_is_left_to_pytest(specs: Specs) -> None:
    specs.add()
    specs.pytester.makepyfile(test_other="def test_x(hots): ...\n")
    specs.run().assert_outcomes(passed=9, errors=1)


def test_a_run_that_shows_fixtures_shows_them(specs: Specs) -> None:
    specs.add(test_machine="def test_x(hots): ...\n")
    assert specs.run("specs", "--fixtures-per-test").ret == pytest.ExitCode.OK
