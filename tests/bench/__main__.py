"""Runs the benchmarks named on the command line, or all: `./dev bench [NAME...]`."""

from __future__ import annotations

import argparse
import pkgutil
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tests import bench
from tests.bench.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def find_benchmarks() -> dict[str, Callable[[], Measurement | Iterable[Measurement]]]:
    """Finds the modules of this package that define `measure()`, by name."""
    names = [module.name for module in pkgutil.iter_modules(bench.__path__) if module.name != "__main__"]
    modules = {name: import_module(f"{bench.__name__}.{name}") for name in names}
    return {name: module.measure for name, module in modules.items() if hasattr(module, "measure")}


def tabulate(measurements: Sequence[tuple[str, Measurement]]) -> Table:
    """Lays the measurements out, one a row."""
    table = Table("benchmark", "what", "measured", "budget", "ratio")
    for name, it in measurements:
        figures = f"{it.measured:.3g} {it.unit}", f"{it.budget:g} {it.unit}", f"{it.ratio:.2f}"
        table.add_row(name, it.what, *figures, style="red" if it.ratio > 1 else "")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs benchmarks; returns 1 if one is over its budget."""
    benchmarks = find_benchmarks()
    parser = argparse.ArgumentParser(prog="./dev bench", description=bench.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(benchmarks)}")
    wanted: list[str] = parser.parse_args(arguments).names
    if unknown := sorted(set(wanted) - set(benchmarks)):
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are: {', '.join(benchmarks)}")
    console = Console()
    measurements: list[tuple[str, Measurement]] = []
    for name in wanted or benchmarks:
        with console.status(f"measuring {name}"):
            given = benchmarks[name]()
        measurements += [(name, it) for it in ([given] if isinstance(given, Measurement) else given)]
    console.print(tabulate(measurements))
    return 1 if any(measurement.ratio > 1 for _, measurement in measurements) else 0


if __name__ == "__main__":
    sys.exit(main())
