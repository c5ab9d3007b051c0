from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.watchdog import HANGS

ROOT = Path(__file__).parents[1]
HANGING = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from tests.watchdog import Watchdog
watchdog = Watchdog(sys.stderr, look=0.05)
watchdog.allow("a test that ends", 60)
watchdog.allow("a test", 0.3)
with ThreadPoolExecutor() as pool:
    pool.submit(threading.Event().wait)
"""
AT_ITS_END = """
import threading
from concurrent.futures import ThreadPoolExecutor
def test_that_leaves_a_thread():
    ThreadPoolExecutor().submit(threading.Event().wait)
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the project's folder."""
    return subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_a_process_that_waits_for_ever_is_ended_with_its_stacks() -> None:
    ended = run("-c", HANGING)
    assert ended.returncode == HANGS
    assert "a test hangs: this process is ended" in ended.stderr
    assert "in shutdown" in ended.stderr


def test_a_session_that_cannot_end_is_ended(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(AT_ITS_END)
    options = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", f"--rootdir={tmp_path}", "-p", "tests.conftest"]
    begun = "import pytest, tests.conftest; tests.conftest._END_SECONDS = 0.3"
    ended = run("-c", f"{begun}; raise SystemExit(pytest.main({[*options, str(tmp_path)]}))")
    assert "1 passed" in ended.stdout
    assert ended.returncode == HANGS
    assert "the end of the process hangs" in ended.stderr
