"""Paths in the commands that lodescan prints for people to copy, and in those that it runs itself."""

import argparse
import shlex
from pathlib import Path

import pytest

from scanspec.text import argument, quoted


@pytest.mark.parametrize("name", ["scan.yaml", "-scan.yaml", "--help", "a b'c.yaml", "/tmp/-x", "$HOME", "~x"])
def test_a_path_is_one_argument_of_a_shell_and_never_an_option(name):
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    (word,) = shlex.split(quoted(Path(name)))
    assert word == argument(Path(name))
    assert parser.parse_args([word]).file == Path(name)
