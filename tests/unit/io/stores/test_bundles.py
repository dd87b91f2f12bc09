import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from lesionflow.data.bundle import GoldenCase
from lesionflow.data.calibration import BackendChoice
from lesionflow.errors import ArtifactError
from lesionflow.io.files import sha256_file
from lesionflow.io.signing.bundle_manifest import MANIFEST, sign_bundle
from lesionflow.io.stores.bundles import (
    BACKEND,
    CALIBRATION,
    CARD,
    GOLDEN,
    PLAN,
    SUMS,
    WEIGHTS,
    read_bundle,
    write_bundle,
)
from support.bundles import small_bundle, small_calibration


@pytest.fixture
def folder(tmp_path):
    write_bundle(tmp_path / "bundle", small_bundle())
    return tmp_path / "bundle"


def test_a_bundle_comes_back_whole(tmp_path):
    bundle = small_bundle()
    digest = write_bundle(tmp_path / "bundle", bundle)
    back = read_bundle(tmp_path / "bundle")
    assert (back.plan, back.card, back.digest) == (bundle.plan, bundle.card, digest)
    assert set(back.weights) == set(bundle.weights)
    for name, values in bundle.weights.items():
        np.testing.assert_array_equal(back.weights[name], values)


def test_the_digest_follows_from_the_content(tmp_path):
    digests = [write_bundle(tmp_path / str(n), small_bundle(seed)) for n, seed in enumerate((5, 5, 6))]
    assert digests[0] == digests[1] != digests[2]


def test_an_old_bundle_is_replaced(folder):
    write_bundle(folder, small_bundle(6))
    assert read_bundle(folder).card.train_params == {"seed": 6}


@pytest.mark.parametrize("name", [PLAN, CARD, WEIGHTS])
def test_one_byte_of_any_file_counts(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=name):
        read_bundle(folder)


@pytest.mark.parametrize("name", [PLAN, CARD, WEIGHTS, SUMS])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(ArtifactError):
        read_bundle(folder)


def resum(folder, *, names=(CARD, PLAN, WEIGHTS)):
    """What somebody does who has no key: make sums and manifest anew."""
    (folder / SUMS).write_text("".join(f"{sha256_file(folder / name)}  {name}\n" for name in names))
    sign_bundle(folder, None)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path, value, kind):
    bundle = small_bundle()
    last = list(bundle.weights)[-1]
    weights = {
        name: array.astype(kind) if array.dtype == np.float32 else array for name, array in bundle.weights.items()
    }
    weights[last].reshape(-1)[-1:] = value
    write_bundle(tmp_path / "broken", replace(bundle, weights=weights))
    with pytest.raises(ArtifactError, match=rf"bundle broken.*1 of {len(weights)}, the first {last}"):
        read_bundle(tmp_path / "broken")


def test_a_plan_that_the_card_does_not_name_is_refused(folder):
    plan = json.loads((folder / PLAN).read_text())
    plan["batch_size"] += 1
    (folder / PLAN).write_text(json.dumps(plan))
    resum(folder)
    with pytest.raises(ArtifactError, match="card"):
        read_bundle(folder)


def test_sums_that_leave_a_file_out_are_refused(folder):
    resum(folder, names=(CARD, PLAN))
    with pytest.raises(ArtifactError, match=WEIGHTS):
        read_bundle(folder)


def test_sums_that_name_another_file_are_refused(folder, tmp_path):
    (tmp_path / "secret").write_text("x")
    with (folder / SUMS).open("a") as sums:
        sums.write(f"{sha256_file(tmp_path / 'secret')}  ../secret\n")
    sign_bundle(folder, None)
    with pytest.raises(ArtifactError):
        read_bundle(folder)


def test_weights_of_another_format_are_refused(folder):
    (folder / WEIGHTS).write_bytes(b"\x80\x04 a pickle")
    resum(folder)
    with pytest.raises(ArtifactError):
        read_bundle(folder)


@pytest.fixture
def fitted(tmp_path):
    write_bundle(tmp_path / "fitted", replace(small_bundle(), calibration=small_calibration()))
    return tmp_path / "fitted"


def test_what_was_fitted_comes_back_and_counts_in_the_digest(folder, fitted):
    back = read_bundle(fitted)
    assert back.calibration == small_calibration()
    assert back.rules == small_calibration().rules
    assert back.digest != read_bundle(folder).digest
    assert read_bundle(folder).calibration is None


def test_what_was_fitted_can_be_neither_altered_nor_taken_away_nor_slipped_in(folder, fitted):
    content = (fitted / CALIBRATION).read_text()
    (fitted / CALIBRATION).write_text(content.replace('"temperature": 2.0', '"temperature": 3.0'))
    with pytest.raises(ArtifactError, match=CALIBRATION):
        read_bundle(fitted)
    (fitted / CALIBRATION).unlink()
    with pytest.raises(ArtifactError):
        read_bundle(fitted)
    (folder / CALIBRATION).write_text(content)
    with pytest.raises(ArtifactError, match=CALIBRATION):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (PLAN, {"format": 2}, ("plan.json", "format", "Input should be 1")),
        (PLAN, {"architecture": None}, ("plan.json", "architecture")),
        (CARD, {"epochs": "many"}, ("card.json", "epochs")),
        (CALIBRATION, {"format": 2}, ("calibration.json", "format", "Input should be 1")),
        (CALIBRATION, {"targets": []}, ("calibration.json", "targets tumor")),
    ],
)
def test_what_another_version_wrote_is_refused_by_file_and_key(fitted, name, change, words):
    content = json.loads((fitted / name).read_text()) | change
    (fitted / name).write_text(json.dumps(content))
    resum(fitted, names=(CALIBRATION, CARD, PLAN, WEIGHTS))
    with pytest.raises(ArtifactError) as refused:
        read_bundle(fitted)
    assert all(word in str(refused.value) for word in words)


def test_the_choice_of_a_backend_comes_back_and_can_not_be_altered(folder, tmp_path):
    choice = BackendChoice(
        name="openvino",
        compared="openvino 1",
        n_cases=2,
        equal_fraction=1.0,
        dice=0.9,
        seconds=1.5,
        seconds_pytorch=3.0,
    )
    write_bundle(tmp_path / "fast", replace(small_bundle(), backend=choice))
    back = read_bundle(tmp_path / "fast")
    assert (back.backend, back.calibration, read_bundle(folder).backend) == (choice, None, None)
    content = (tmp_path / "fast" / BACKEND).read_text()
    (tmp_path / "fast" / BACKEND).write_text(content.replace("openvino", "pytorch", 1))
    with pytest.raises(ArtifactError, match=BACKEND):
        read_bundle(tmp_path / "fast")
    (folder / BACKEND).write_text(content)
    with pytest.raises(ArtifactError, match=BACKEND):
        read_bundle(folder)


def test_golden_cases_come_back_and_count_in_the_digest(folder, tmp_path):
    rng = np.random.default_rng(1)
    image, masks = rng.normal(size=(2, 1, 3, 5, 7)).astype(np.float16), rng.random((2, 1, 3, 5, 7)) > 0.5
    cases = tuple(GoldenCase(a, np.abs(a), b) for a, b in zip(image, masks, strict=True))
    digest = write_bundle(tmp_path / "golden", replace(small_bundle(), golden=cases))
    back = read_bundle(tmp_path / "golden").golden
    assert digest != read_bundle(folder).digest
    for one, other in zip(cases, back, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        np.testing.assert_array_equal(one.masks, other.masks)
    save_file({"0.image": image[0], "1.image": image[1], "2.image": image[1]}, tmp_path / "golden" / GOLDEN)
    resum(tmp_path / "golden", names=(GOLDEN, CARD, PLAN, WEIGHTS))
    with pytest.raises(ArtifactError):
        read_bundle(tmp_path / "golden")


def test_a_key_that_stands_twice_in_the_card_is_refused(folder):
    """One reader takes the first, another the last: the hashes agree, as who may write wrote them too."""
    text = (folder / CARD).read_text()
    (folder / CARD).write_text(text.replace("{", '{\n  "epochs": 9999,', 1))
    (folder / MANIFEST).unlink()
    sums = (folder / SUMS).read_text().splitlines()
    digest = hashlib.sha256((folder / CARD).read_bytes()).hexdigest()
    (folder / SUMS).write_text("".join(f"{digest}  {CARD}\n" if CARD in line else f"{line}\n" for line in sums))
    with pytest.raises(ArtifactError, match="'epochs' twice"):
        read_bundle(folder)
    with pytest.raises(ArtifactError, match=CARD):
        sign_bundle(folder, None)
