"""Finds calls with more than five positional arguments, in which readers cannot see what each argument means. Functions
that take any number of equal arguments (command lines, columns, choices) are allowed.
"""

import ast
import subprocess
import sys
from pathlib import Path

MOST = 5
COMMAND_LINES = {"docker", "lodescan", "ProposerProcess", "start_proposer", "start"}
ANY_NUMBER = COMMAND_LINES | {"add_row", "one_of", "submit", "Table", "value", "zip"}

paths = subprocess.run(["git", "ls-files", "-z", "*.py", "*.pyi"], capture_output=True, text=True, check=True).stdout
found = []
for path in filter(None, paths.split("\0")):
    for node in ast.walk(ast.parse(Path(path).read_text(), path)):
        if isinstance(node, ast.Call) and len(node.args) > MOST:
            name = ast.unparse(node.func).rpartition(".")[2]
            if name not in ANY_NUMBER and not path.startswith("proto/"):
                found.append(f"{path}:{node.lineno}: {name} has {len(node.args)} positional arguments; name some")
print(*found, sep="\n", end="\n" if found else "")
sys.exit(bool(found))
