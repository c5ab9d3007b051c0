"""How the library's errors become outcomes of tests: a closed gate skips, anything else fails in one sentence."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from verified_images.errors import GateClosedError, VerifiedImagesError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_plugin.run import SpecRun


def wants_traceback(config: pytest.Config) -> bool:
    """Tell whether the user asked to see where an error of ours comes from."""
    return config.getoption("fulltrace") or config.get_verbosity() > 1


def failure_text(run: SpecRun, error: VerifiedImagesError) -> str:
    """Say what failed, on which spec, after how long, and why."""
    stage = run.failed_stage(error)
    if stage is None:
        return f"{run.spec.name}: {error}"
    return f"{stage} of {run.spec.name} failed after {run.results[stage].seconds:.0f} s: {with_tail(error)}"


def with_tail(error: VerifiedImagesError) -> str:
    """Give the error's sentence, with the last lines of a command's output where it has them."""
    text, tail = str(error), str(getattr(error, "tail", "")).rstrip()
    return text if not tail or tail in text else f"{text}\n\n{tail}"


def shortened(run: SpecRun, error: VerifiedImagesError) -> BaseException:
    """Give what pytest shows without a traceback in place of the error."""
    return pytest.fail.Exception(failure_text(run, error), pytrace=False).with_traceback(error.__traceback__)


def without_history(interrupt: KeyboardInterrupt, config: pytest.Config) -> KeyboardInterrupt:
    """Take from an interrupt where it came from, unless the user asked for that.

    pytest parses the files that it came through, before clean-up begins, and those of the Azure SDK are so large
    that this takes it many seconds.
    """
    return interrupt if config.getoption("fulltrace") else interrupt.with_traceback(None)


@contextmanager
def telling(run: SpecRun, config: pytest.Config) -> Iterator[None]:
    """Turn the library's errors into outcomes of the test whose fixture asked for a stage."""
    __tracebackhide__ = True
    try:
        yield
    except GateClosedError as closed:
        raise pytest.skip.Exception("; ".join(closed.reasons)) from closed
    except VerifiedImagesError as error:
        if wants_traceback(config):
            raise
        raise shortened(run, error) from None
    except KeyboardInterrupt as interrupt:
        raise without_history(interrupt, config) from None
