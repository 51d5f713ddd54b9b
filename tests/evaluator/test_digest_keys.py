"""The keys of the files in the digest: no file is lost to another of its name, and no key says where a checkout is."""

import os

import pytest

from evaluator.codes import sources
from evaluator.errors import ConfigurationError
from tests.evaluator.test_sources import FUNCTION, PROGRAM, F, seen, sources_of, write


def program(folder, command):
    """The scan file of a program; the files of the folder are executable."""
    (folder / "in.slha").write_text("BLOCK IN\n 1 x\n")
    for path in folder.rglob("*"):
        path.chmod(0o755)
    return PROGRAM.replace("COMMAND", command)


@pytest.mark.parametrize(("pack", "link"), [("pack", "pack/up"), ("real", "pack")])
def test_a_link_to_too_many_files_is_named(tmp_path, monkeypatch, pack, link):
    monkeypatch.setattr(sources, "MOST_LINKED", 20)
    here = tmp_path / "scan"
    write(here, toy_py="import pack\nimport own" + F)
    for folder, count in ((here / "own", 30), (tmp_path / "out" / "deep", 25)):  # without a link, any number is allowed
        folder.mkdir(parents=True)
        for number in range(count):
            (folder / f"m{number}.py").write_text("")
    (here / pack).mkdir()
    (here / link).symlink_to(tmp_path / "out")
    with pytest.raises(ConfigurationError, match=f"the link {here / link} leads to {tmp_path / 'out'}"):
        seen(here, FUNCTION)
    text = FUNCTION.replace("toy:f", "json:dumps").replace("    obs", "    data: [pack]\n    obs")
    with pytest.raises(ConfigurationError, match=f"the link {here / link} leads to"):
        seen(here, text)
    (here / link).unlink()
    assert len(seen(here, FUNCTION)) == 31


def test_two_scripts_with_helpers_of_one_name(tmp_path):
    for folder in ("a", "b", "c"):
        write(tmp_path / folder, helper_py=f"# {folder}\n", run_py="#!/usr/bin/env python3\nimport helper\n")
    found = seen(tmp_path, program(tmp_path, f"a/run.py b/run.py {tmp_path}/c/run.py"))
    assert {"a/helper.py", "b/helper.py", "c/helper.py"} <= found


def test_a_program_on_the_path_with_a_helper_of_the_name_of_another(tmp_path, monkeypatch):
    for folder, name in (("bin", "model"), ("scan", "run_py")):
        write(tmp_path / folder, helper_py="", **{name: "#!/usr/bin/env python3\nimport helper\n"})
    (tmp_path / "bin" / "model").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    found = seen(tmp_path / "scan", program(tmp_path / "scan", "model run.py"))
    assert found == {"../bin/model", "../bin/helper.py", "run.py", "helper.py", "in.slha"}


@pytest.mark.parametrize("origin", ["[]", '{"dir_info": null}', "1", "{"])
def test_an_odd_direct_url_of_a_package(tmp_path, monkeypatch, origin):
    write(tmp_path / "scan", toy_py="import odd_pack" + F)
    info = tmp_path / "lib" / "odd_pack-1.0.dist-info"
    write(info, METADATA="Metadata-Version: 2.1\nName: odd_pack\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("odd_pack\n")
    (info / "direct_url.json").write_text(origin)
    monkeypatch.syspath_prepend(tmp_path / "lib")
    sources.distributions.cache_clear()
    monkeypatch.setattr(sources, "distributions", sources.distributions.__wrapped__)
    assert seen(tmp_path / "scan", FUNCTION) == {"toy.py"}


@pytest.mark.parametrize("text", ["a" + ".b" * 50_000, "-" * 50_000 + "1"])
def test_a_file_too_deep_for_python(tmp_path, text):
    write(tmp_path, toy_py="import deep" + F, deep_py=text)
    assert seen(tmp_path, FUNCTION) == {"toy.py", "deep.py"}


def test_a_log_is_no_script(tmp_path):
    write(tmp_path, model="#!/bin/sh\n", more_py="")
    (tmp_path / "seen.log").write_text("#!/usr/bin/python3\nimport more\n")
    assert seen(tmp_path, program(tmp_path, "./model ./seen.log")) == {"model", "in.slha"}


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("-m cProfile model.py", {"model.py", "more.py"}),
        ("-m json.tool", set()),
        ("-m cProfile -m model", {"model.py", "more.py"}),
        ("-um model", {"model.py", "more.py"}),
        ("-mmodel", {"model.py", "more.py"}),
        ("-m", set()),
        ("-m ../model", set()),
        ("-c pass --t=tables/x.dat", {"tables/x.dat"}),
        ("-c pass a=b=HERE/tables/x.dat --mode=fast", {"tables/x.dat", "fast"}),
        ("-c pass --t=tables --u=" + 300 * "x", set()),
    ],
)
def test_what_the_words_of_a_command_name(tmp_path, command, more):
    write(tmp_path, model_py="import more\n", more_py="", tables__x="", fast="")
    (tmp_path / "tables" / "x.dat").write_text("1\n")
    found = seen(tmp_path, program(tmp_path, f"python3 {command.replace('HERE', str(tmp_path))}"))
    assert {name for name in found if "python" not in os.path.basename(name)} == {"in.slha", *more}


def test_odd_modules_hide_no_other(tmp_path):
    odd = """
import importlib, sys, types
class Lazy(types.ModuleType):
    def __getattr__(self, name):
        raise RuntimeError(name)
sys.modules["lazy"] = Lazy("lazy")
for name, file in (("number", 1), ("zero", "a\\0b")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__file__ = file
importlib.import_module("nam" + "ed")
"""
    write(tmp_path, toy_py=odd + F, named_py="")
    assert seen(tmp_path, FUNCTION) == {"toy.py", "named.py"}


def test_keys_do_not_say_where_a_checkout_is(tmp_path):
    """The same bytes, once beside the scan file's folder and once far away; two files have one name."""
    toy = """
import runpy, sys
from pathlib import Path
code = Path(Path(__file__).parent.parent, "where").resolve()
sys.path.insert(0, str(code / "lib"))
__import__("pack.part" + "")
for name in ("1", "2"):
    runpy.run_path(code / name / "run.py")
"""
    reads = "from pathlib import Path\nPath(__file__).with_name('table.dat').read_text()\n"
    found = []
    for top, code in ((tmp_path / "near", tmp_path / "near"), (tmp_path / "far", tmp_path / "x" / "y")):
        here = top / "scan"
        write(here, toy_py=toy + F)
        write(code, lib__pack__part_py=reads, **{"1__run_py": "# 1\n", "2__run_py": "# 2\n"})
        (code / "lib" / "pack" / "table.dat").write_text("1\n")
        (top / "where").symlink_to(code)
        keys = sources_of(here, FUNCTION.replace("    obs", f"    data: [{tmp_path}/near/lib]\n    obs"))
        found.append(keys)
        assert {os.path.relpath(value.path, code) for value in keys.values()} >= {
            *("lib/pack/part.py", "lib/pack/table.dat", "1/run.py", "2/run.py")
        }
    assert found[0] == found[1]
    assert {"file .../pack/part.py", "data .../pack/table.dat"} <= set(found[0])
