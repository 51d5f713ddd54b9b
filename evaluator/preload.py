"""Imported once by the fork server, so that all workers share the physics packages in memory.

What fails here is not lost: the first worker imports it again and reports why.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys

from evaluator.worker import PRELOAD

_folder, *_modules = os.environ.get(PRELOAD, "").split(os.pathsep)
if _folder:
    sys.path.insert(0, _folder)
for _module in _modules:
    with contextlib.suppress(Exception):
        importlib.import_module(_module)
