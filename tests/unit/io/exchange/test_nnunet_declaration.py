"""nnU-Net's dataset.json, against its own rules written down in its documentation."""

import numpy as np
import pytest

from lesionflow.data.dataset import Dataset
from lesionflow.io.exchange.nnunet_declaration import LabelCoding, channel_names, declare, name_folder

BRATS = Dataset(
    name="gliomas",
    channels={"T1c": "mr", "FLAIR": "mr"},
    labels={"NCR": 1, "ED": 2, "ET": 4},
    regions={"ET": (4,), "TC": (1, 4), "WT": (1, 2, 4)},
)
LIVER = Dataset(name="livers", channels={"portal": "ct", "PET": "pet"}, labels={"tumor": 7, "liver": 3}, regions={})


def test_regions_stand_widest_first_with_the_label_that_is_written_last_for_each():
    content = declare(BRATS, n_training=3, some_ignored=True)
    # What BraTS is in nnU-Net's documentation: whole tumor, core, enhancing; edema 2 is the whole's own, necrosis 1 the core's.
    assert list(content["labels"].items()) == [
        ("background", 0), ("WT", [1, 2, 3]), ("TC", [1, 3]), ("ET", [3]), ("ignore", 4),
    ]  # fmt: skip
    assert content["regions_class_order"] == [2, 1, 3]
    assert (content["numTraining"], content["file_ending"]) == (3, ".nii.gz")


def test_labels_are_numbered_without_a_gap_in_the_order_of_their_values():
    content = declare(LIVER, n_training=1, some_ignored=False)
    assert content["labels"] == {"background": 0, "liver": 1, "tumor": 2}
    assert "regions_class_order" not in content
    assert content["lesionflow"]["label_values"] == [3, 7]


def test_a_channel_in_hu_is_called_ct_and_no_other_by_chance():
    odd = LIVER.model_copy(update={"channels": {"art": "ct", "ven": "ct", "CT": "mr", "noNorm": "pet", "T2": "mr"}})
    assert channel_names(odd) == {"0": "CT", "1": "CT", "2": "mr_CT", "3": "pet_noNorm", "4": "T2"}


def test_labels_come_back_from_nnunets_values():
    labels = np.array([[0, 1, 2, 4, 255]], np.uint8)
    coding = LabelCoding.of(BRATS)
    assert coding.encode(labels).tolist() == [[0, 1, 2, 3, 4]]
    assert np.array_equal(coding.decode(coding.encode(labels)), labels)


@pytest.mark.parametrize(("name", "folder"), [("a b/c", "Dataset012_a_b_c"), ("---", "Dataset012_cases")])
def test_a_folder_is_named_as_nnunet_finds_it(name, folder):
    assert name_folder(12, name) == folder
