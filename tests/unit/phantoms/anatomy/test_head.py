import numpy as np
import pytest

from lesionflow.phantoms import make_study

SEED = 7


def test_a_glioma_is_nested_and_bright_where_it_should() -> None:
    study = make_study(SEED, 1, "mr4")
    labels = study.truth.labels
    voxel_ml = study.truth.geometry.voxel_volume_ml
    for name, label in study.labels.items():
        assert np.count_nonzero(labels == label) * voxel_ml == pytest.approx(study.label_ml[name], rel=0.1), name
    mean = {(n, v): float(c.array[0][labels == v].mean()) for n, c in study.channels.items() for v in (0, 1, 2, 3)}
    brain = {n: float(np.median(c.array[0][c.array[0] > 40])) for n, c in study.channels.items()}
    assert mean["T1c", 3] > 1.3 * brain["T1c"]
    assert mean["T1c", 3] > 1.2 * mean["T1", 3]
    assert mean["FLAIR", 2] > 1.3 * brain["FLAIR"]
    assert mean["T1c", 1] < mean["T1c", 3]
