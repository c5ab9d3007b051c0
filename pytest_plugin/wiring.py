"""What of a test's fixtures cannot be, told while tests are collected: pytest tells it when a machine has been made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_plugin.specs import spec_of
from pytest_plugin.targets import FIXTURES
from verified_images.templates.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

OURS = "pytest_plugin.fixtures"
_TOO_WIDE = ("session", "package")
_BY_PYTEST = "request"
# Of a test with one of these pytest may never set fixtures up.
_EXCUSES = ("skip", "skipif", "xfail")


def report_broken_wiring(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Fail the collection of each module of a spec with tests whose fixtures cannot be."""
    if config.getoption("show_fixtures_per_test", default=False):
        return
    found: dict[str, dict[str, None]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and spec_of(item) is not None and not _is_excused(item):
            for problem in problems_of(item):
                module = item.getparent(pytest.Module) or item
                found.setdefault(module.nodeid, {})[problem] = None
    for nodeid, problems in found.items():
        report = pytest.CollectReport(nodeid, "failed", longrepr="\n".join(problems), result=[])
        config.hook.pytest_collectreport(report=report)


def problems_of(item: pytest.Function) -> Iterator[str]:
    """Say which fixtures a test asks for that are not there, and which ones ask for a machine from too wide a scope."""
    known = item._fixtureinfo.name2fixturedefs  # noqa: SLF001 - the only place where pytest keeps them
    for name in item.fixturenames:
        if name not in known and not _is_given(name, item):
            yield _missing(name, item, known)
    for name, definitions in known.items():
        definition = definitions[-1]
        if definition.scope in _TOO_WIDE and not _is_ours(definition):
            for asked in definition.argnames:
                if _is_ours(_asked_for(asked, name, known)):
                    yield (
                        f"{_place_of(definition)}: the fixture '{name}' has the scope '{definition.scope}' and asks "
                        f"for '{asked}', which is another one in each stage of each spec; give it the scope 'module'"
                    )


def _is_excused(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in _EXCUSES)


def _is_given(name: str, item: pytest.Function) -> bool:
    callspec = getattr(item, "callspec", None)
    if name == _BY_PYTEST or (callspec is not None and name in callspec.params):
        return True
    # A plugin may have added its name since the test was collected.
    return item.session._fixturemanager.getfixturedefs(name, item) is not None  # noqa: SLF001 - pytest has no other way


def _missing(name: str, item: pytest.Function, known: Mapping[str, Sequence[pytest.FixtureDef[object]]]) -> str:
    near = nearest(name, [*FIXTURES, *(other for other in known if not other.startswith("_"))])
    hint = f"did you mean '{near}'?" if near else "`pytest --fixtures` lists those that are there"
    asking = next((defs[-1] for defs in known.values() if defs and name in defs[-1].argnames), None)
    if asking is not None:
        return (
            f"{_place_of(asking)}: the fixture '{asking.argname}' asks for a fixture '{name}' that is not there; {hint}"
        )
    file, line, _ = item.reportinfo()
    return f"{file}:{(line or 0) + 1}: {item.originalname}: there is no fixture '{name}'; {hint}"


def _asked_for(
    asked: str, by: str, known: Mapping[str, Sequence[pytest.FixtureDef[object]]]
) -> pytest.FixtureDef[object] | None:
    """Give the fixture that a name stands for; one that asks for its own name means the one that it overrides."""
    definitions = known.get(asked, ())
    place = 2 if asked == by else 1
    return definitions[-place] if len(definitions) >= place else None


def _is_ours(definition: pytest.FixtureDef[object] | None) -> bool:
    return definition is not None and definition.func.__module__ == OURS


def _place_of(definition: pytest.FixtureDef[object]) -> str:
    code = getattr(definition.func, "__code__", None)
    return f"{Path(code.co_filename)}:{code.co_firstlineno}" if code is not None else definition.argname
