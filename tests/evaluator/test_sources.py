"""The files that decide the results of a code, however it comes to them: each is in the digest, and watched."""

import json
import os
import sys

import pytest

from evaluator.chain import Chain
from evaluator.codes.sources import FileHash
from evaluator.description import digest_of, watched
from evaluator.scan import read_scan

FUNCTION = "variables: {x: [0, 100]}\ncodes:\n  toy:\n    function: toy:f\n    observables: {y: {mean: 1, sigma: 1}}\n"
PROGRAM = (
    "variables: {x: [0, 100]}\ncodes:\n  toy:\n    command: COMMAND {input} {output}\n    input_file: in.slha\n"
    "    observables: {y: {slha: [OUT, 1], mean: 1, sigma: 1}}\n"
)
F = "\ndef f(point):\n    return {'y': point['x']}\n"


def sources_of(folder, text):
    """The names and hashes of the watched files of a scan file."""
    (folder / "scan.yaml").write_text(text)
    chain = Chain(read_scan(folder / "scan.yaml"))
    return {name: value for found in watched(chain) for name, value in found.items() if isinstance(value, FileHash)}


def seen(folder, text):
    """The watched files of a scan file, as paths from its folder."""
    paths = [value.path for value in sources_of(folder, text).values()]
    return {os.path.relpath(os.path.realpath(path), folder) for path in paths}


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_what_a_function_needs_in_other_ways_than_by_an_import(tmp_path):
    """Helpers by name, by path, from folders of their own; libraries, databases and tables that they open."""
    here = tmp_path / "scan"
    write(
        here,
        toy_py="""
import contextlib, ctypes, importlib, importlib.util, os, pkgutil, runpy, sqlite3, sys
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "lib"))
import elsewhere
name = "named"
importlib.import_module(name)
exec(open(os.path.join(here, "executed.py")).read())
runpy.run_path(os.path.join(here, "run.py"))
spec = importlib.util.spec_from_file_location("other", os.path.join(here, "by_path.py"))
spec.loader.exec_module(importlib.util.module_from_spec(spec))
with contextlib.suppress(OSError):
    ctypes.CDLL(os.path.join(here, "libk.so"))
sqlite3.connect(os.path.join(here, "k.db"))
pkgutil.get_data("pack", "k.txt")
"""
        + F,
        named_py="",
        executed_py="",
        run_py="",
        by_path_py="",
    )
    for name in ("libk.so", "k.db", "pack/__init__.py", "pack/k.txt"):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text("")
    write(tmp_path / "lib", elsewhere_py="import os\nopen(os.path.join(os.path.dirname(__file__), 'table')).read()\n")
    (tmp_path / "lib" / "table").write_text("1\n")
    found = seen(here, FUNCTION)
    assert found >= {
        *("toy.py", "named.py", "executed.py", "run.py", "by_path.py", "libk.so", "k.db", "pack/k.txt"),
        *("../lib/elsewhere.py", "../lib/table"),
    }
    assert all(name.startswith("../lib") or ".." not in name for name in found)  # nothing of Python or of lodescan


def test_a_helper_that_a_point_imports_by_its_name_in_a_call(tmp_path):
    write(
        tmp_path,
        toy_py="import importlib\ndef f(p):\n    __import__('z')\n    return {'y': importlib.import_module('more').k}",
        more_py="k = 2\n",
        z_py="",
    )
    assert seen(tmp_path, FUNCTION) == {"toy.py", "more.py", "z.py"}


def test_what_is_behind_links_to_folders(tmp_path):
    here = tmp_path / "scan"
    write(here, toy_py="from pack.part import more" + F)
    write(tmp_path / "out", more_py="", table="1\n")
    for folder in ("pack", "tables"):
        (here / folder).mkdir()
        (here / folder / "part").symlink_to(tmp_path / "out")
    (tmp_path / "out" / "round").symlink_to(here / "pack")  # without an end
    assert seen(here, FUNCTION.replace("    obs", "    data: [tables]\n    obs")) >= {"../out/more.py", "../out/table"}


def test_a_package_that_is_installed_as_a_checkout(tmp_path, monkeypatch):
    """`pip install -e`: its version says nothing of its files."""
    from evaluator.codes import sources

    here = tmp_path / "scan"
    write(here, toy_py="import worked_on_pack" + F)
    pack, info = tmp_path / "lib" / "worked_on_pack", tmp_path / "lib" / "worked_on_pack-1.0.dist-info"
    for folder in (pack, info):
        folder.mkdir(parents=True)
    (pack / "__init__.py").write_text("")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: worked_on_pack\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("worked_on_pack\n")
    (info / "direct_url.json").write_text(json.dumps({"url": "file:///x", "dir_info": {"editable": True}}))
    monkeypatch.syspath_prepend(tmp_path / "lib")
    sources.distributions.cache_clear()  # it may hold the packages of an earlier moment
    monkeypatch.setattr(sources, "distributions", sources.distributions.__wrapped__)
    assert seen(here, FUNCTION) == {"toy.py", "../lib/worked_on_pack/__init__.py"}


@pytest.mark.parametrize(
    "command",
    ["./model", "python3 model.py", "nice ./model.py", "python3 -u -m model", "./other --model=HERE/more.py"],
)
def test_what_a_program_in_python_imports(tmp_path, command):
    script = "#!/usr/bin/env python3\nimport more\n"
    long = "#!/bin/sh\n'''exec' \"/a path of more than 127 characters/python3\" \"$0\" \"$@\"\n' '''\nimport more\n"
    write(tmp_path, model=long, model_py=script, other="#!/bin/sh\n", more_py="")
    (tmp_path / "in.slha").write_text("BLOCK IN\n 1 x\n")
    for path in tmp_path.iterdir():
        path.chmod(0o755)
    assert "more.py" in seen(tmp_path, PROGRAM.replace("COMMAND", command.replace("HERE", str(tmp_path))))


WRAPPERS = {
    "$(dirname $0)": 'exec "$(dirname "$0")/bin/real" "$@"',
    "a variable": 'HERE=$(cd "$(dirname "$0")"; pwd)\n"$HERE/bin/real" "$1" > "$2"',
    "an absolute path": "if true; then\n  FOLDER/bin/real $*\nfi",
    "its own folder": "cd $(dirname $0) && ./bin/real $1 $2",
    "another wrapper": 'exec "${0%/*}/second.sh" "$@"',
}


@pytest.mark.parametrize("command", ["./tool", "sh ./tool"])
@pytest.mark.parametrize("line", WRAPPERS.values(), ids=WRAPPERS)
def test_the_program_that_a_shell_script_runs(tmp_path, line, command):
    write(tmp_path, bin__real="#!/usr/bin/env python3\nimport more\n", bin__more_py="", bin__notes="", bin__unused="")
    write(tmp_path, tool=f"#!/bin/sh\n# not ./bin/unused\n{line.replace('FOLDER', str(tmp_path))}\ncat ./bin/notes\n")
    write(tmp_path, **{"second.sh": '#!/bin/bash\n"$(dirname "$0")/tool" && "$(dirname "$0")/bin/real"\n'})
    (tmp_path / "in.slha").write_text("BLOCK IN\n 1 x\n")
    for name in ("tool", "second.sh", "bin/real", "bin/unused"):
        (tmp_path / name).chmod(0o755)
    found = seen(tmp_path, PROGRAM.replace("COMMAND", command))
    assert {name for name in found if name.startswith("bin/")} == {"bin/real", "bin/more.py"}


@pytest.mark.parametrize("word", ["./" + 300 * "x", "/" + 5000 * "x", "./bin/real/x", f"$HOME/{300 * 'x'}"])
def test_a_word_of_a_shell_script_that_can_be_no_path(tmp_path, word):
    write(tmp_path, tool=f"#!/bin/sh\necho {word}\n./bin/real\n")
    write(tmp_path, bin__real=f"#!/usr/bin/env python3\nimport {300 * 'x'}\n")
    (tmp_path / "in.slha").write_text("BLOCK IN\n 1 x\n")
    for name in ("tool", "bin/real"):
        (tmp_path / name).chmod(0o755)
    assert {"tool", "bin/real"} <= seen(tmp_path, PROGRAM.replace("COMMAND", "./tool"))


def test_programs_elsewhere_with_one_name_are_told_apart_wherever_they_are(tmp_path):
    """Two scripts run two programs of the same name, and these import modules of the same name."""
    found = []
    for top in (tmp_path / "here", tmp_path / "there"):
        for folder in ("a", "b"):
            write(top, **{f"{folder}__run": f"#!/usr/bin/env python3\nimport more  # {folder}\n"})
            write(top, **{f"{folder}__more_py": f"# {folder}\n"})
        write(top, scan__bin__tool=f"#!/bin/sh\n{tmp_path}/now/a/run\n")
        write(top, scan__bin__other=f"#!/bin/sh\n{tmp_path}/now/b/run\n{tmp_path}/now/a/run\n")
        (top / "scan" / "in.slha").write_text("BLOCK IN\n 1 x\n")
        for name in ("scan/bin/tool", "scan/bin/other", "a/run", "b/run"):
            (top / name).chmod(0o755)
        (tmp_path / "now").unlink(missing_ok=True)
        (tmp_path / "now").symlink_to(top)
        keys = sources_of(top / "scan", PROGRAM.replace("COMMAND", "bin/tool bin/other"))
        places = {key: os.path.relpath(os.path.realpath(value.path), top) for key, value in keys.items()}
        assert {key: place for key, place in places.items() if "..." in key} == {
            "program .../run": "a/run",
            "file .../more.py": "a/more.py",
            "program .../run (2)": "b/run",
            "file .../more.py (2)": "b/more.py",
        }
        found.append(keys)
    assert found[0] == found[1]


def test_a_log_that_comes_changes_no_digest(tmp_path):
    write(tmp_path, tool_py="")
    (tmp_path / "in.slha").write_text("BLOCK MINPAR\n 1 x\n")
    text = PROGRAM.replace("{output}", f"{{output}} {tmp_path}/run.log > ./out.log")
    text = text.replace("COMMAND", f"{sys.executable} tool.py")

    def digest():
        (tmp_path / "scan.yaml").write_text(text)
        return digest_of(Chain(read_scan(tmp_path / "scan.yaml")))

    before = digest()
    write(tmp_path, **{"run.log": "", "out.log": ""})
    assert digest() == before
