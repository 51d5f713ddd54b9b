"""What lodescan logs, on a terminal and elsewhere."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings

import pytest

from scanspec import read_scan_file
from scanspec.logs import FONTS, logging_to_stderr, set_level

TEXT = """\
variables: {{x: [0, 1]}}
codes: {{c: {{function: 'm:f', observables: {{o: {{mean: 1, sigma: 1}}}}}}}}
networks: {{{networks}}}
"""
log = logging.getLogger("rooms.of.a.test")


@pytest.mark.parametrize(
    ("networks", "shown"),
    [
        ("", "w"),
        ("verbose: 0", "w"),
        ("verbose: 1", "wi"),
        ("Verbose: true", "wi"),
        ("verbose: false", "w"),
        ("verbose: 2", "wid"),
        ("verbose: 9", "wid"),
    ],
)
def test_verbose_sets_the_level_of_the_log(tmp_path, capsys, networks, shown):
    path = tmp_path / "scan.yaml"
    path.write_text(TEXT.format(networks=networks))
    with logging_to_stderr():
        set_level(read_scan_file(path))
        log.warning("w")
        log.info("i")
        log.debug("d")
    assert capsys.readouterr().err == "".join(f"rooms.of.a.test: {line}\n" for line in shown)


def test_the_settings_of_logging_are_restored_afterwards(capsys):
    root, show = logging.getLogger(), warnings.showwarning
    before = root.level, list(root.handlers)
    with logging_to_stderr():
        root.setLevel(logging.DEBUG)
        assert warnings.showwarning is not show
    assert (root.level, list(root.handlers)) == before and warnings.showwarning is show
    assert logging.getLogger(FONTS).level == logging.NOTSET


def test_control_sequences_in_a_log_line_are_removed(capsys):
    with logging_to_stderr():
        log.warning("of a program: %s", "\x1b[2J\x1b]0;title\x07[bold]x[/bold]")
    said = capsys.readouterr().err
    assert "\x1b" not in said and "\x07" not in said and "[bold]x[/bold]" in said


def test_warnings_of_python_are_logged(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with logging_to_stderr():
            warnings.warn("of some package", UserWarning, stacklevel=1)
    assert capsys.readouterr().err.startswith("py.warnings: ")


@pytest.mark.parametrize("networks", ["", "verbose: 2"])
def test_warnings_of_matplotlib_about_missing_fonts_are_not_shown(tmp_path, capsys, networks):
    """Matplotlib warns once for each font of its formulas, in loggers below its own, at any level."""
    path = tmp_path / "scan.yaml"
    path.write_text(TEXT.format(networks=networks))
    with logging_to_stderr():
        set_level(read_scan_file(path))
        logging.getLogger("matplotlib.font_manager").warning("findfont: Font family %r not found.", "cmsy10")
        logging.getLogger("matplotlib.font_manager").error("the list of fonts cannot be read")
        logging.getLogger("matplotlib").warning("of matplotlib")
    said = capsys.readouterr().err.splitlines()
    assert said == ["matplotlib.font_manager: the list of fonts cannot be read", "matplotlib: of matplotlib"]


def test_a_reader_that_ends_early_raises_an_error_that_commands_know():
    """`lodescan scan FILE 2>&1 | head -1` ends as other programs do there, and not with an exit code of its own."""
    program = (
        "import sys\nfrom scanspec.logs import stderr_console\n"
        "try:\n    stderr_console().print('a line')\nexcept BrokenPipeError:\n    sys.exit(7)\n"
    )
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", program], check=False, stderr=writing)
    os.close(writing)
    assert done.returncode == 7
