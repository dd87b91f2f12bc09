"""MONAI's own workflow, given the exported folder alone, finds in a study of another grid, lying otherwise, what lesionflow finds."""

import json

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import ArtifactError
from lesionflow.inference import Segmenter
from lesionflow.inference.monai_bundle import export, parity
from lesionflow.inference.monai_bundle.export import export_monai
from lesionflow.io.images import nifti
from support.volume_bundles import volume_bundle

OBLIQUE = Rotation.from_euler("xyz", [176, 7, 25], degrees=True).as_matrix()


@pytest.fixture(scope="module")
def bundle():
    return volume_bundle({"CT": "ct", "T1": "mr"}, {"rim": 1, "core": 2}, {"whole": (1, 2), "core": (2,)}, flips=(1,))


@pytest.fixture(scope="module")
def exported(bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("monai") / "knees"
    return folder, export_monai(bundle, "knees", "3", folder)


def write_study(folder):
    """Two channels of smooth noise in air, oblique, finer in plane and coarser along slices than the plan."""
    folder.mkdir(parents=True)
    rng, spacing = np.random.default_rng(3), (1.5, 0.8, 0.9)
    grid = Geometry.from_parts((24, 44, 42), spacing, (5.0, 6.0, 7.0), OBLIQUE)
    for name, level, air in (("CT", 40.0, -1000.0), ("T1", 300.0, 0.0)):
        noise = ndimage.gaussian_filter(rng.normal(size=(18, 38, 36)), [2 / step for step in spacing])
        body = np.pad(np.maximum(level + 60 * noise / noise.std(), -400 if name == "CT" else 1), 3, constant_values=air)
        nifti.write_volume(folder / f"{name}.nii.gz", Volume(body[None].astype(np.float32), grid))
    channels = [nifti.read_volume(folder / f"{name}.nii.gz", name="it") for name in ("CT", "T1")]
    return Volume(np.concatenate([one.array for one in channels]), channels[0].geometry)


@pytest.mark.filterwarnings("ignore")  # Of readers that are not installed.
def test_monai_finds_what_lesionflow_finds(bundle, exported, tmp_path):
    monai = pytest.importorskip("monai.bundle")
    folder, _ = exported
    volume = write_study(tmp_path / "images" / "one")
    expected = Segmenter(bundle, device="cpu").segment(volume, case_id="one").mask
    workflow = monai.ConfigWorkflow(
        config_file=str(folder / "configs" / "inference.json"),
        logging_file=False,
        workflow_type="inference",
        bundle_root=str(folder),
        dataset_dir=str(tmp_path / "images"),
        output_dir=str(tmp_path / "masks"),
    )
    workflow.initialize()
    workflow.run()
    (written,) = (tmp_path / "masks").rglob("*.nii.gz")
    found = nifti.read_mask(written, name="one")
    assert found.geometry.same_grid(volume.geometry)
    assert expected.present == (1, 2)
    assert (expected.labels > 0).mean() > 0.05
    assert (found.labels != expected.labels).mean() < 1e-3


def test_it_is_laid_out_as_monai_wants_and_near(exported):
    folder, done = exported
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"LICENSE", "configs/inference.json", "configs/metadata.json", "docs/README.md", "models/model.ts"}
    assert json.loads((folder / "configs" / "metadata.json").read_text())["version"] == "3"
    assert done.study is None
    assert done.plain.holds
    assert done.plain.n_found > 1000


def test_where_monai_finds_something_else_nothing_is_written(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "write_program", lambda *_: None)
    monkeypatch.setattr(parity, "_ask_monai", lambda _, files, __: _nothing(files))
    with pytest.raises(ArtifactError, match=r"Dice 0\.0000"):
        export_monai(bundle, "knees", "3", tmp_path / "knees")
    assert list(tmp_path.iterdir()) == []


def _nothing(files):
    grid = nifti.read_volume(files["CT"], name="it").geometry
    return Mask(np.zeros(grid.shape, dtype=np.uint8), grid), np.zeros((2, *grid.shape), dtype=np.float32)
