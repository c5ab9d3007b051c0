"""./dev bench finds the benchmarks, runs those that were named, and fails when one is over its budget."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.bench import __main__ as bench
from tests.bench.measurement import Measurement

SetBenchmarks = Callable[..., None]


@pytest.fixture
def set_benchmarks(monkeypatch: pytest.MonkeyPatch) -> SetBenchmarks:
    """Puts made-up benchmarks with a budget of 10 ms in place of the real ones."""

    def set_them(**milliseconds: float) -> None:
        benchmarks = {
            name: lambda name=name, measured=measured: Measurement(f"work of {name}", measured, 10, "ms")
            for name, measured in milliseconds.items()
        }
        monkeypatch.setattr(bench, "find_benchmarks", lambda: benchmarks)

    return set_them


def test_modules_that_measure_are_found() -> None:
    found = bench.find_benchmarks()

    assert "unrelated_run" in found
    assert "measurement" not in found


def test_all_benchmarks_within_their_budget_pass(
    set_benchmarks: SetBenchmarks, capsys: pytest.CaptureFixture[str]
) -> None:
    set_benchmarks(one=5, two=10)

    assert bench.main([]) == 0
    output = capsys.readouterr().out
    assert all(figure in output for figure in ("work of one", "5 ms", "10 ms", "0.50", "work of two", "1.00"))


def test_one_over_its_budget_fails(set_benchmarks: SetBenchmarks, capsys: pytest.CaptureFixture[str]) -> None:
    set_benchmarks(one=5, two=10.1)

    assert bench.main([]) == 1
    assert "1.01" in capsys.readouterr().out


def test_only_those_named_are_run(set_benchmarks: SetBenchmarks, capsys: pytest.CaptureFixture[str]) -> None:
    set_benchmarks(one=5, two=50)

    assert bench.main(["one"]) == 0
    assert "two" not in capsys.readouterr().out


def test_an_unknown_name_is_answered_with_the_known_ones(
    set_benchmarks: SetBenchmarks, capsys: pytest.CaptureFixture[str]
) -> None:
    set_benchmarks(one=5, two=5)

    with pytest.raises(SystemExit, match="2"):
        bench.main(["three"])

    assert "there is no benchmark three; there are: one, two" in capsys.readouterr().err
