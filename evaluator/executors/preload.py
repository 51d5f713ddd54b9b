"""Imported once by the fork server, so that all workers share the physics packages in memory.

What fails here is not lost: the first worker imports it again and reports why.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import warnings

from evaluator.codes.forks import in_this_process
from evaluator.executors.worker import PRELOAD
from evaluator.leftovers import adopt_orphans

adopt_orphans()  # what a worker that was killed leaves behind must be found again
warnings.filterwarnings("ignore", message="forkserver: waitpid returned unexpected pid")  # those are such

_folder, *_modules = os.environ.get(PRELOAD, "").split(os.pathsep)
if _folder:
    sys.path.insert(0, _folder)
for _module in _modules:
    with contextlib.suppress(Exception, SystemExit):
        in_this_process(importlib.import_module, _module)
