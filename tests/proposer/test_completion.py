"""Shell completion: the script of `lodescan completion` in a real shell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from evaluator.commands.main import main as evaluator
from proposer.commands.main import COMMANDS, main
from scanspec import VERSION

COMPLETE = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
function=$(complete -p lodescan | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$function
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "lodescan.bash"
    script.write_text(capsys.readouterr().out)

    def replies(*words: str) -> set[str]:
        done = subprocess.run(
            ["bash", "-c", COMPLETE, "bash", script, *words], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        return set(done.stdout.split())

    return replies


def test_bash_completes_commands_options_and_choices(complete) -> None:
    assert complete("lodescan", "") >= set(COMMANDS)
    assert complete("lodescan", "re") == {"report", "rescore", "retry"}
    assert complete("lodescan", "scan", "--ev") == {"--evaluator"}
    assert {"csv", "parquet", "arviz", "slha"} <= complete("lodescan", "export", "--format", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh", "fish"])
def test_the_script_of_each_shell_is_valid(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert "lodescan" in text and all(name in text for name in COMMANDS)
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(text)
        subprocess.run([program, "-n", tmp_path / "script"], check=True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh", "fish"])
def test_the_evaluators_commands_are_completed_too(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluator(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert "lodescan-evaluator" in text and all(name in text for name in ("serve", "check", "point", "healthy"))


@pytest.mark.parametrize(("command", "name"), [(main, "lodescan"), (evaluator, "lodescan-evaluator")])
def test_the_version_is_printed(command, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        command(["--version"])
    assert capsys.readouterr().out == f"{name} {VERSION}\n"
