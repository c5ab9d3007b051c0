"""Runs commands of the azure CLI in one process, one after another: starting it anew for each costs a second.

Run by the interpreter that has azure-cli. Each line of the input is a JSON list of arguments; each line of the output a
JSON object with ``code``, ``output`` (what the command prints, parsed) and ``error``.
"""

from __future__ import annotations

import io
import json
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from azure.cli.core import get_default_cli

LONGEST_PAUSE = 0.05
ERRORS = io.StringIO()
"""What is printed as an error: the CLI's log keeps the stream that it found first."""
sleep = time.sleep


def run(arguments: list[str]) -> dict[str, Any]:
    """Run one command and give how it ended."""
    printed = io.StringIO()
    ERRORS.seek(0)
    ERRORS.truncate()
    with redirect_stdout(printed), redirect_stderr(ERRORS):
        cli = get_default_cli()
        try:
            code = cli.invoke(arguments, out_file=printed)
        except SystemExit as left:
            code = left.code
    text = printed.getvalue().strip()
    try:
        output = json.loads(text) if text else None
    except ValueError:
        output = text
    return {"code": code, "output": output, "error": ERRORS.getvalue()}


def main() -> None:
    """Answer line by line until the input ends. The pauses between polls are cut short, as the CLI's own tests do."""
    time.sleep = lambda seconds: sleep(min(float(seconds), LONGEST_PAUSE))
    answers = sys.stdout
    for line in sys.stdin:
        answers.write(json.dumps(run(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
