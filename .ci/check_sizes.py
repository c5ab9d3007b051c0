"""Holds every module and function to the sizes that a reader can take in at once.

Medians are taken for each folder by itself, so that many small tests cannot hide a library that has grown.
"""

from __future__ import annotations

import argparse
import ast
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MODULE_LINES = 400
MEDIAN_MODULE_LINES = 150
FUNCTION_LINES = 60
MEDIAN_FUNCTION_LINES = 10
POSITIONAL_PARAMETERS = 5

DECLARING_CALLS = frozenset(
    {"addini", "addoption", "add_argument", "add_argument_group", "add_parser", "add_subparsers", "getgroup"}
)

type_of_function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Function:
    """One function or method; `lines` counts from `def` to the end, `positional` leaves out self and cls."""

    name: str
    line: int
    lines: int
    positional: int
    declares_options: bool


@dataclass(frozen=True, slots=True)
class Module:
    """One source file with its length in lines and its functions, nested ones included."""

    path: Path
    lines: int
    functions: tuple[Function, ...]


def read_module(path: Path) -> Module:
    """Measures a source file; raises SyntaxError if it is not Python."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source, filename=str(path))
    return Module(path, len(source.splitlines()), tuple(functions_of(tree, inside_class=False)))


def functions_of(node: ast.AST, *, inside_class: bool) -> Iterator[Function]:
    """Finds the functions below a node, in the order of the file."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, type_of_function):
            yield measure(child, is_method=inside_class)
        yield from functions_of(child, inside_class=isinstance(child, ast.ClassDef))


def measure(function: ast.FunctionDef | ast.AsyncFunctionDef, *, is_method: bool) -> Function:
    """Measures one function."""
    last_line = function.end_lineno or function.lineno
    positional = len(function.args.posonlyargs) + len(function.args.args)
    is_static = any(isinstance(name, ast.Name) and name.id == "staticmethod" for name in function.decorator_list)
    return Function(
        name=function.name,
        line=function.lineno,
        lines=last_line - function.lineno + 1,
        positional=positional - (1 if is_method and not is_static else 0),
        declares_options=all(is_declaration(statement) for statement in function.body),
    )


def is_declaration(statement: ast.stmt) -> bool:
    """Tells whether a statement is a docstring or declares an option, which makes a list rather than code."""
    if not isinstance(statement, ast.Expr | ast.Assign):
        return False
    match statement.value:
        case ast.Constant():
            return True
        case ast.Call(func=ast.Attribute(attr=called)):
            return called in DECLARING_CALLS
    return False


def complaints_about(module: Module) -> Iterator[str]:
    """Says what is too large in one module."""
    if module.lines > MODULE_LINES:
        yield f"{module.path}:1: the module has {module.lines} lines; {MODULE_LINES} are allowed"
    for function in module.functions:
        where = f"{module.path}:{function.line}: {function.name}"
        if function.lines > FUNCTION_LINES and not function.declares_options:
            yield f"{where} has {function.lines} lines; {FUNCTION_LINES} are allowed"
        if function.positional > POSITIONAL_PARAMETERS:
            allowed = f"{POSITIONAL_PARAMETERS} are allowed"
            yield f"{where} takes {function.positional} positional parameters; {allowed}"


def complaints_about_medians(folder: Path, modules: Sequence[Module]) -> Iterator[str]:
    """Says whether a folder's typical module or function is too large; an empty `__init__` is not typical."""
    functions = [function for module in modules for function in module.functions]
    medians = (
        ("module", MEDIAN_MODULE_LINES, [module.lines for module in modules if module.lines > 1]),
        ("function", MEDIAN_FUNCTION_LINES, [function.lines for function in functions]),
    )
    for what, allowed, lines in medians:
        if lines and median(lines) > allowed:
            yield f"{folder}: the median {what} has {median(lines):g} lines; {allowed} are allowed"


def check_folder(folder: Path) -> list[str]:
    """Says everything that is too large in the Python files below a folder."""
    modules = [read_module(path) for path in sorted(folder.rglob("*.py"))]
    complaints = [complaint for module in modules for complaint in complaints_about(module)]
    return [*complaints, *complaints_about_medians(folder, modules)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks the folders named on the command line; returns 1 if anything is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    folders: list[Path] = parser.parse_args(arguments).folders
    for folder in folders:
        if not folder.is_dir():
            parser.error(f"{folder} is not a folder")
    complaints = [complaint for folder in folders for complaint in check_folder(folder)]
    sys.stdout.writelines(f"{complaint}\n" for complaint in complaints)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
