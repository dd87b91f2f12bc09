import numpy as np
import pytest
import torch

from lesionflow.errors import ArtifactError
from lesionflow.inference.finite_answers import FiniteCheck, require_finite


@pytest.mark.parametrize("values", [(np.nan,), (np.inf,), (-np.inf,), (np.inf, -np.inf)])
def test_no_finite_answer_before_or_after_covers_one_that_is_not(values):
    check = FiniteCheck()
    for value in (1.0, *values, 2.0, -1e30):
        check.add(torch.tensor([0.0, value]))
    with pytest.raises(ArtifactError, match="the network, found NaN or infinity"):
        check.require()
    with pytest.raises(ArtifactError, match="nnU-Net, found NaN or infinity"):
        require_finite(np.array([[0.5, values[0]]], np.float16), "nnU-Net")


def test_what_is_finite_passes_however_large():
    check = FiniteCheck()
    check.require()
    check.add(torch.full((100,), torch.finfo(torch.float32).max))
    check.require()
    require_finite(np.full(100, 60000.0, np.float16), "it")
