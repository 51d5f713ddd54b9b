"""`lodescan check`: what a physicist reads of variables, fitted variables and kept files."""

from proposer.commands.scan import check

TEXT = """\
setup: {type: RANDOM, keep_spectra: valid}
variables:
  a: 5
  x: [0, 1]
fitting:
  variables: {m0: [1, 2]}
  observables: {y: {target: 1}}
codes: {c: {function: 'm:f', observables: {y: {mean: 1, sigma: 1}}}}
networks: {threshold_value: 10}
"""


def test_words(tmp_path, capsys):
    path = tmp_path / "scan.yaml"
    path.write_text(TEXT)
    assert check(path, None, insecure=False) == 0
    lines = [each.strip() for each in capsys.readouterr().out.splitlines()]
    assert "a: 5, fixed" in lines and "x: 0 to 1, uniform" in lines
    assert "m0: 1 to 2, solved for at each point" in lines
    assert not any("OFF" in each for each in lines)
    assert "keeps the spectrum files, if there are any, of all valid points" in lines
    path.write_text(TEXT.replace("valid}", "good}"))
    check(path, None, insecure=False)
    assert "of points with an NLL below 10" in capsys.readouterr().out
