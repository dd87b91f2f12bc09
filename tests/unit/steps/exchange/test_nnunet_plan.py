"""What an nnU-Net does, as a plan: labels by their names, channels by what they are, axes in our order."""

import copy

import pytest

from lesionflow.data.dataset import Dataset
from lesionflow.errors import ArtifactError
from lesionflow.io.exchange.nnunet_model import read_model
from lesionflow.steps.exchange.nnunet_plan import make_foreign_plan
from support.bundles import DATASET
from support.nnunet import PLANS, write_model_folder

ORGANS = Dataset(name="livers", channels={"CT": "ct", "PET": "pet"}, labels={"tumor": 7, "liver": 3}, regions={})


def test_space_patch_and_figures_are_nnunets(tmp_path):
    plan = make_foreign_plan(read_model(write_model_folder(tmp_path / "m")), DATASET)
    assert (plan.dimensions, plan.spacing_mm, plan.patch_size) == (3, (3.0, 0.9, 0.6), (16, 32, 48))
    channel = plan.channels[0]
    assert (channel.lower, channel.upper, channel.mean, channel.std) == (-150.0, 250.0, 30.0, 50.0)
    flat = make_foreign_plan(read_model(write_model_folder(tmp_path / "f", configuration="2d")), DATASET)
    assert (flat.dimensions, flat.spacing_mm, flat.patch_size) == (2, (None, 0.8, 0.5), (1, 32, 48))


def test_axes_that_nnunet_transposed_stand_in_our_order(tmp_path):
    plans = copy.deepcopy(PLANS) | {"transpose_forward": [2, 0, 1], "transpose_backward": [1, 2, 0]}
    plan = make_foreign_plan(read_model(write_model_folder(tmp_path / "m", plans=plans)), DATASET)
    # Its axes are (column, slice, row), at 3.0, 0.9 and 0.6 mm.
    assert plan.spacing_mm == (0.9, 0.6, 3.0)


def test_labels_are_told_by_name_whatever_their_numbers(tmp_path):
    model = read_model(write_model_folder(tmp_path / "m", dataset=ORGANS))
    foreign = make_foreign_plan(model, ORGANS).foreign
    assert (foreign.label_values, foreign.heads) == ((3, 7), ((), (3,), (7,)))
    swapped = {"background": 0, "tumor": 1, "liver": 2, "ignore": 3}
    foreign = make_foreign_plan(model._replace(declaration={**model.declaration, "labels": swapped}), ORGANS).foreign
    assert (foreign.label_values, foreign.heads) == ((7, 3), ((), (7,), (3,)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"labels": {"background": 0, "tumor": 1, "cyst": 2}},
            "this workspace's labels liver, tumor, found cyst, tumor",
        ),
        ({"labels": {"background": 0, "a": [1, 2], "b": [2]}}, "this workspace's regions"),
        ({"channel_names": {"0": "CT"}}, r"this workspace's channels CT \(ct\), PET \(pet\), found CT"),
        ({"channel_names": {"0": "CT", "1": "CT"}}, "this workspace's channels"),
        ({"channel_names": {"0": "PET", "1": "zscore"}}, None),
        ({"channel_names": {"0": "pet", "1": "Ct"}}, "this workspace's channels"),
    ],
)
def test_what_is_not_the_workspaces_is_refused_by_name(tmp_path, change, words):
    model = read_model(write_model_folder(tmp_path / "m", dataset=ORGANS))
    model = model._replace(declaration={**model.declaration, **change})
    if words is None:
        assert make_foreign_plan(model, ORGANS).foreign.program == "nnunet"
        return
    with pytest.raises(ArtifactError, match=words):
        make_foreign_plan(model, ORGANS)
