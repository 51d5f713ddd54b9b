"""The fork server imports this module once, so that all workers share the physics packages in memory.

An error here is ignored, because the first worker imports the package again and reports it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import warnings

from evaluator.codes.forks import in_this_process
from evaluator.codes.from_source import import_from_source
from evaluator.executors import temporary
from evaluator.executors.children import end_children, own_children
from evaluator.executors.worker_process import PRELOAD
from evaluator.leftovers import ROOT_MARK, adopt_orphans, has_children, outlast_endings, running_name


def _begin_again() -> None:
    """Starts this process again without the modules that have started processes.

    Such processes are helpers for one caller each: workers that share one would read each other's answers. So each
    worker imports those modules by itself.
    """
    names = ", ".join(sorted({running_name(pid) or "a process that has ended" for pid in own_children()}))
    print(
        f"evaluator: importing the codes starts processes ({names}); each worker imports them by itself, so that "
        "none is shared",
        file=sys.stderr,
        flush=True,
    )
    end_children()
    os.environ[PRELOAD] = ""
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606  # the fork server's own command, with its pipes


adopt_orphans()  # orphans of a killed worker must be found again
warnings.filterwarnings("ignore", message="forkserver: waitpid returned unexpected pid")  # these are orphans
outlast_endings()

if ROOT_MARK in os.environ:
    with contextlib.suppress(OSError):
        temporary.use(os.path.join(os.environ[ROOT_MARK], "import"))
import_from_source()
_folder, *_modules = os.environ.get(PRELOAD, "").split(os.pathsep)
if _folder:
    sys.path.insert(0, _folder)
for _module in _modules:
    with contextlib.suppress(Exception, SystemExit):
        in_this_process(importlib.import_module, _module)
if _modules and has_children():
    _begin_again()
