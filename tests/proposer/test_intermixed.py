"""Options between the arguments of a command."""

import pytest

from proposer.commands.parser import make_parser


@pytest.mark.parametrize(
    "words", ["runs/a x y --xlog --zoom good", "runs/a --xlog x --zoom good y", "--zoom good --xlog runs/a x y"]
)
def test_columns_of_a_plot_may_stand_behind_its_options(words):
    found = make_parser().parse_args(["plot", *words.split()])
    assert (str(found.folder), found.x, found.y, found.xlog, found.zoom) == ("runs/a", "x", "y", True, "good")


def test_the_columns_may_be_left_out():
    found = make_parser().parse_args(["plot", "--xlog", "runs/a"])
    assert (found.x, found.y) == (None, None)
