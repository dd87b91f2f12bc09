import pytest

from lesionflow.data.dataset import Dataset
from lesionflow.data.plan import ArchitecturePlan, ChannelPlan, CoarsePlan
from lesionflow.planning.diff import compare_plans
from support.training_workspace import make_plan

#: CT, spacing (own, 1.0, 0.8), window -100..200 HU, minus 20, by 50.
PLAN = make_plan()
COARSE = CoarsePlan(factors=(1, 2, 2), patch_size=(8, 8, 8), batch_size=1, architecture=PLAN.architecture)
PICTURE = ChannelPlan(name="gray", kind="picture", lower=None, upper=None, mean=None, std=None)


def changed(**changes):
    return PLAN.model_copy(update=changes)


def scaled(**changes):
    return changed(channels=(PLAN.channels[0].model_copy(update=changes),))


def test_equal_plans_do_not_differ():
    assert compare_plans(PLAN, make_plan()) == ()


@pytest.mark.parametrize(
    ("new", "what", "fits"),
    [
        (changed(spacing_mm=(None, 1.09, 0.8)), "spacing of rows", True),
        (changed(spacing_mm=(None, 1.0, 0.7)), "spacing of columns", False),
        (changed(spacing_mm=(3.0, 1.0, 0.8)), "spacing of slices", False),
        (scaled(upper=225.0), "intensities of CT", True),
        (scaled(upper=235.0), "intensities of CT", False),
        (scaled(lower=-140.0), "intensities of CT", False),
        (scaled(mean=24.0), "intensities of CT", True),
        (scaled(mean=26.0), "intensities of CT", False),
        (scaled(std=56.0), "intensities of CT", False),
        (scaled(lower=None, upper=None, mean=None, std=None), "intensities of CT", False),
        (scaled(name="MR"), "channels", False),
        (changed(dataset=Dataset(name="d", channels={"CT": "ct"}, labels={"cyst": 1}, regions={})), "outputs", False),
        (changed(denoising="median"), "denoising", False),
        (changed(coarse=COARSE), "cascade", True),
        (changed(bias_field_correction=True), "bias_field_correction", False),
        (changed(architecture=ArchitecturePlan(name="unetpp", options={})), "network", True),
        (changed(patch_size=(3, 80, 96)), "patch_size", True),
        (changed(batch_size=5), "batch_size", True),
        (changed(inference=PLAN.inference.model_copy(update={"fill_holes": True})), "inference", True),
    ],
)
def test_each_decision_is_told_and_judged_alone(new, what, fits):
    (difference,) = compare_plans(PLAN, new)
    assert (difference.what, difference.fits) == (what, fits)
    assert difference.old != difference.new


def test_pictures_on_another_background_are_other_pictures():
    old, new = (changed(channels=(PICTURE.model_copy(update={"dark_background": dark}),)) for dark in (False, True))
    (difference,) = compare_plans(old, new)
    assert (difference.what, difference.new, difference.fits) == (
        "intensities of gray", "z-score a study, on a dark background", False,
    )  # fmt: skip
