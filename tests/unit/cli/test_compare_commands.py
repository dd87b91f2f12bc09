import re

import pandas as pd
import pytest

from lesionflow.cli import main
from lesionflow.steps.compare import compare_models
from support.evaluated import DICE_OF_ALL, two_evaluated_models

SETTINGS = {"confidence_level": 0.95}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A champion that finds nothing, and a later model that calls every voxel tumor."""
    with pytest.MonkeyPatch.context() as patch:
        yield two_evaluated_models(tmp_path_factory.mktemp("evaluated"), patch)


@pytest.fixture(autouse=True)
def _store(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", workspace.uri)
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")


def test_compare_says_better_and_worse(workspace, capsys) -> None:
    assert main(["compare", "champion", "challenger"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "lesionflow-knees version 2 against lesionflow-knees version 1" in said
    assert re.search(r"dice 0 0\.323 better by 0\.323 \[0\.323, 0\.323\], p = 0\.00", said)
    # What finds nothing is as far off as the image is wide: 15 x 32 x 28 mm.
    assert re.search(
        r"hd95_mm 45\.1 [\d.]+ better by [\d.]+ mm \[.*?\], p = 0\.\d+; 10 and 0 cases missed or made up", said
    )
    assert "no patient has the figure" not in said
    # Trained again and alike, nothing moves: the seed explains none of it.
    assert main(["compare", "champion", "challenger", "--repeats", "finds-nothing"]) == 0
    assert "a seed alone may move it by 0" in capsys.readouterr().out
    folders = [str(workspace.folder / name) for name in ("all", "none")]
    backwards = compare_models(*folders, workspace.uri, **SETTINGS)
    dice = backwards.differences[0]
    assert (dice.metric, dice.verdict(0.95), dice.gain) == ("dice", "worse", pytest.approx(-DICE_OF_ALL))


def test_compare_refuses_what_cannot_be_compared(workspace, capsys, tmp_path) -> None:
    assert main(["compare", "champion", "nobody"]) == 5
    assert "Expected one run called 'nobody'" in capsys.readouterr().err
    assert main(["compare", "champion", "challenger", "--confidence", "95"]) == 2
    bare = workspace.tracker.start_run("not-evaluated")
    assert main(["compare", "champion", bare]) == 5
    assert "Evaluate it first" in capsys.readouterr().err
    assert main(["compare", "champion", str(tmp_path)]) == 5
    (tmp_path / "evaluation.json").write_text("{}")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "cases.parquet")
    assert main(["compare", "champion", str(tmp_path)]) == 5
    assert "Run evaluate again" in capsys.readouterr().err
