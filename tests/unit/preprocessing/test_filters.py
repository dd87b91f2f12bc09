import numpy as np
import pytest

from lesionflow.errors import ConfigError
from lesionflow.preprocessing import filters
from lesionflow.preprocessing.filters import correct_bias_field, denoise, require_filters


@pytest.mark.parametrize("method", ["median", "curvature"])
def test_denoising_lowers_noise_and_keeps_an_edge(method: str) -> None:
    clean = np.zeros((3, 24, 30), np.float32)
    clean[:, :, 15:] = 100.0
    noisy = clean + np.random.default_rng(0).normal(0, 8, size=clean.shape).astype(np.float32)
    found = denoise(noisy, method, (3.0, 0.8, 0.5))
    assert np.abs(found - clean)[:, :, 5:10].mean() < 0.8 * np.abs(noisy - clean)[:, :, 5:10].mean()
    assert found[:, :, 20:].mean() - found[:, :, :10].mean() > 90
    assert denoise(noisy, "none", (3.0, 0.8, 0.5)) is noisy


def test_a_bias_field_is_flattened_and_background_stays() -> None:
    rows, columns = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 48), indexing="ij")
    field = np.exp(0.6 * columns + 0.2 * rows)
    image = np.tile(100.0 * field, (8, 1, 1)).astype(np.float32)
    image += np.random.default_rng(0).normal(0, 1, size=image.shape).astype(np.float32)
    image[:, :4] = 0.0
    found = correct_bias_field(image, (3.0, 1.0, 1.0))
    inside = np.s_[:, 8:-4, 4:-4]
    assert found[inside].std() / found[inside].mean() < 0.5 * image[inside].std() / image[inside].mean()
    assert not found[:, :4].any()


@pytest.mark.parametrize(
    ("denoising", "n4"), [("curvature", False), ("none", True), ("median", False), ("none", False)]
)
def test_filters_of_a_library_that_is_not_there_are_refused_before_a_study_comes(monkeypatch, denoising, n4) -> None:
    require_filters(denoising, bias_field_correction=n4)
    monkeypatch.setattr(filters, "find_spec", lambda name: None)
    if denoising == "curvature" or n4:
        with pytest.raises(ConfigError, match="SimpleITK"):
            require_filters(denoising, bias_field_correction=n4)
    else:
        require_filters(denoising, bias_field_correction=n4)
