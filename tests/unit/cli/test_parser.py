"""What is not understood is named with what was probably meant."""

import time

import pytest

from lesionflow.cli import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predct", "a"], "unknown command 'predct'. Did you mean predict?"),
        (["models", "lst"], "unknown command 'lst'. Did you mean list?"),
        (["data", "ad"], "Did you mean add?"),
        (["xyzzy"], "`lesionflow --help` lists all."),
        (["run", "--workdri", "x"], "not understood: --workdri x. Did you mean --workdir?"),
        (["phantom", "out", "--format", "dicm"], "Did you mean dicom?"),
        (["run", "--params", "phantom_ct", "extra"], "not understood: extra."),
    ],
)
def test_the_nearest_is_offered(capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_very_long_word_is_refused_at_once_and_said_in_short(capsys):
    began = time.process_time()
    with pytest.raises(SystemExit):
        main(["p" * 100_000])
    assert time.process_time() - began < 30
    assert len(capsys.readouterr().err) < 1000
