"""`dataset.json` of nnU-Net v2: channels by how they are to be normalized, labels in unbroken order, regions, what is not known.

nnU-Net's documentation `dataset_format.md`, `region_based_training.md`, `ignore_label.md` (version 2.8).
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.dataset import IGNORE, Dataset
from lesionflow.data.volume import IGNORED
from lesionflow.io.stores.cases import label_written_for

ENDING = ".nii.gz"
#: Names by which nnU-Net chooses how a channel is normalized; every other name is normalized by its own mean and deviation.
NORMALIZED_BY_NAME = frozenset({"ct", "nonorm", "zscore", "rescale_to_0_1", "rgb_to_0_1"})
CT = "CT"
#: The key of `dataset.json` under which ours lies; nnU-Net passes over it and copies it beside its predictions.
OURS = "lesionflow"


class LabelCoding(NamedTuple):
    """How our label values stand in nnU-Net's masks, whose values must be 0, 1, 2, ... without a gap, what is not known last.

    Args:
        values: Ours, ascending: number n of them is nnU-Net's n + 1.

    Examples:
        >>> coding = LabelCoding((1, 2, 4))
        >>> coding.encode(np.array([0, 1, 2, 4, 255], np.uint8)).tolist()
        [0, 1, 2, 3, 4]
        >>> coding.decode(np.array([0, 1, 2, 3, 4], np.uint8)).tolist()
        [0, 1, 2, 4, 255]
        >>> coding.is_plain, LabelCoding((1, 2)).is_plain
        (False, True)
    """

    values: tuple[int, ...]

    @classmethod
    def of(cls, dataset: Dataset) -> "LabelCoding":
        """Return the coding of a dataset's labels."""
        return cls(tuple(sorted(dataset.labels.values())))

    @property
    def is_plain(self) -> bool:
        """Whether labels stand as they are (what is not known apart)."""
        return self.values == tuple(range(1, len(self.values) + 1))

    @property
    def ignored(self) -> int:
        """What nnU-Net calls the voxels that are not known."""
        return len(self.values) + 1

    def code(self, value: int) -> int:
        """Return nnU-Net's value of one of our labels."""
        return self.values.index(value) + 1

    def encode(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return our labels in nnU-Net's values."""
        table = np.zeros(256, np.uint8)
        table[list(self.values)] = np.arange(1, len(self.values) + 1)
        table[IGNORED] = self.ignored
        return table[labels]

    def decode(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return nnU-Net's values as our labels; a value beyond them is not known."""
        table = np.full(256, IGNORED, np.uint8)
        table[: len(self.values) + 1] = (0, *self.values)
        return table[labels]


def declare(dataset: Dataset, *, n_training: int, some_ignored: bool) -> dict[str, Any]:
    """Return what `dataset.json` holds.

    Args:
        dataset: Channels, labels, regions.
        n_training: Cases in `imagesTr`.
        some_ignored: Whether some voxels of some masks are not known.

    Returns:
        Plain values. `channel_names` say CT where values are in HU, so that nnU-Net clips and scales them by the whole data set; of
        all others each image is scaled by itself, whatever the channel is called here.
    """
    coding = LabelCoding.of(dataset)
    labels: dict[str, object] = {"background": 0}
    content: dict[str, Any] = {"channel_names": channel_names(dataset), "labels": labels}
    if dataset.regions:
        labels |= {target.name: [coding.code(label) for label in target.labels] for target in dataset.targets}
        content["regions_class_order"] = [
            coding.code(label_written_for(target, dataset.targets)) for target in dataset.targets
        ]
    else:
        labels |= {name: coding.code(value) for name, value in sorted(dataset.labels.items(), key=lambda item: item[1])}
    if some_ignored:
        labels[IGNORE] = coding.ignored
    ours = {"dataset": dataset.model_dump(mode="json"), "label_values": list(coding.values)}
    return content | {
        "numTraining": n_training,
        "file_ending": ENDING,
        "overwrite_image_reader_writer": "SimpleITKIO",
        "name": dataset.name,
        OURS: ours,
    }


def channel_names(dataset: Dataset) -> dict[str, str]:
    """Return nnU-Net's names of the channels, by which it normalizes them.

    Args:
        dataset: Whose channels; by their kinds HU are told from all other values.
    """
    names = {}
    for number, (name, kind) in enumerate(dataset.channels.items()):
        is_told = name.casefold() in NORMALIZED_BY_NAME
        names[str(number)] = CT if kind == "ct" else f"{kind}_{name}" if is_told else name
    return names


def name_folder(number: int, name: str) -> str:
    """Return the folder's name by which nnU-Net finds a data set.

    Examples:
        >>> name_folder(7, "soft-tissue sarcoma")
        'Dataset007_soft_tissue_sarcoma'
    """
    return f"Dataset{number:03d}_{re.sub('[^A-Za-z0-9]+', '_', name).strip('_') or 'cases'}"


def to_text(content: Mapping[str, Any] | list[Any]) -> str:
    """Return JSON as nnU-Net writes it."""
    return json.dumps(content, indent=4) + "\n"
