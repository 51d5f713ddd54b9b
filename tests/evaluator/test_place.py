"""Commands in a folder where no evaluator can run, and options between the words of a command."""

import subprocess
import sys

import pytest

from evaluator.commands.main import make_parser

SCAN = "variables: {x: [0, 1]}\ncodes: {toy: {function: 'm:f', observables: {y: {mean: 1, sigma: 1}}}}\n"


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("rmdir $PWD", ["the current folder does not exist any more", "; change to another folder"]),
        (
            "ulimit -n 20",
            [
                "this shell allows 20 open files, but an evaluator needs at least 64",
                "; raise the limit with `ulimit -n 1024`",
            ],
        ),
    ],
)
def test_serve_says_what_is_wrong_with_the_folder(scan_file, tmp_path, before, words):
    file = scan_file(SCAN, m__py="def f(point):\n    return {'y': 1}\n")
    (tmp_path / "gone").mkdir()
    call = f"{before}; exec {sys.executable} -m evaluator serve {file} --listen 127.0.0.1:0"
    done = subprocess.run(["bash", "-c", call], cwd=tmp_path / "gone", capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert [word for word in words if word not in done.stderr] == []


@pytest.mark.parametrize(
    "words",
    [
        "a.yaml x=1 y=2 --id 3 --json",
        "a.yaml --id 3 x=1 y=2 --json",
        "--json a.yaml x=1 --id 3 y=2",
        "a.yaml x=1 --id=3 --json y=2",
    ],
)
def test_options_may_stand_between_the_words_of_a_command(words):
    found = make_parser().parse_args(["point", *words.split()])
    assert (str(found.file), found.values, found.id, found.json) == ("a.yaml", ["x=1", "y=2"], 3, True)


def test_missing_values_and_a_missing_file_are_refused(capsys):
    assert make_parser().parse_args(["point", "a.yaml"]).values == []
    with pytest.raises(SystemExit):
        make_parser().parse_args(["point", "--id", "3"])
    assert "arguments are required: file\n" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        make_parser().parse_args(["check", "a.yaml", "b.yaml"])
    assert "unrecognized arguments: b.yaml" in capsys.readouterr().err
