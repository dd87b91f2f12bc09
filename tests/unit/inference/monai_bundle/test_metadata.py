"""What MONAI's schema of 2024-07-25 demands, by its own words for fields and types; and what people are told."""

from lesionflow.inference.monai_bundle.metadata import PACKAGES, make_license, make_metadata, make_readme
from lesionflow.inference.monai_bundle.parity import MaskParity
from support.bundles import small_bundle

#: Required by the schema, all strings but two.
TEXTS = ("schema", "version", "monai_version", "pytorch_version", "numpy_version", "task", "description", "authors", "copyright")  # fmt: skip
TENSOR = {"type": str, "format": str, "num_channels": int, "spatial_shape": list, "dtype": str, "value_range": list}


def test_all_that_the_schema_demands_is_there():
    versions = dict.fromkeys(("monai", "torch", "numpy", *PACKAGES), "1.2.3")
    said = make_metadata(small_bundle(), "knees", "4", versions)
    assert all(isinstance(said[key], str) and said[key] for key in TEXTS)
    assert said["required_packages_version"] == dict.fromkeys(PACKAGES, "1.2.3")
    tensors = said["network_data_format"]
    for tensor in (*tensors["inputs"].values(), *tensors["outputs"].values()):
        assert {key: type(tensor[key]) for key in TENSOR} == TENSOR
    image, pred = tensors["inputs"]["image"], tensors["outputs"]["pred"]
    assert (image["modality"], image["format"], image["channel_def"]) == ("CT", "hounsfield", {"0": "CT (ct)"})
    assert (pred["num_channels"], pred["channel_def"]) == (1, {"0": "tumor"})
    assert "Not a medical device" in said["intended_use"]


def test_people_are_told_how_near_it_is_and_who_gives_a_license():
    versions = dict.fromkeys(("monai", "torch", "numpy", *PACKAGES), "1.2.3")
    readme = make_readme(make_metadata(small_bundle(), "knees", "4", versions), MaskParity(1000, 1, 0.9987, 50, 1e-4))
    assert "# knees, version 4" in readme
    assert "Dice 0.9987" in readme
    assert "one grid" in readme
    assert "in this order: CT (ct)" in readme
    assert "ask them" in make_license("knees")
