"""Commands as their users call them, in this process: a process of its own would load torch again for each."""

import contextlib
import io
import runpy
import sys
import warnings
from dataclasses import dataclass
from unittest import mock


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str


def run(module: str, *arguments: object) -> Ended:
    """`python -m MODULE ARGUMENTS`. An exception that the command lets through is the test's."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    with mock.patch.object(sys, "argv", [module, *map(str, arguments)]), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # that a test has imported the module before
                runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as ending:
            status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
            if isinstance(ending.code, str):
                print(ending.code, file=err)
    return Ended(status, out.getvalue(), err.getvalue())
