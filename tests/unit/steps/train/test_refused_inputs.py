"""What can not be trained is refused by name, with what to do."""

from pathlib import Path

import numpy as np
import pytest

from lesionflow.config import TrainConfig
from lesionflow.data.dataset import Dataset
from lesionflow.data.plan import ChannelPlan, CoarsePlan
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.steps.train.refused_inputs import require_fitting_params, require_tumors
from lesionflow.steps.train.task import TrainingTask
from lesionflow.training import CaseArrays
from support.training_workspace import make_plan, train_params

REPO = Path(__file__).resolve().parents[4]
PICTURE = ChannelPlan(name="photo", kind="picture", lower=None, upper=None, mean=None, std=None)


def config(**changes):
    return TrainConfig.model_validate(train_params(REPO, **changes))


def inverting(**changes):
    return config(augmentation=train_params(REPO)["augmentation"] | {"inversion_probability": 0.2}, **changes)


def of_labels(labels, regions=None):
    dataset = Dataset(name="blobs", channels={"CT": "ct"}, labels=labels, regions=regions or {})
    return make_plan().model_copy(update={"dataset": dataset})


OVERLAPPING = of_labels({"core": 1, "edema": 2}, {"whole": (1, 2), "middle": (1,)})
EXCLUSIVE = of_labels({"core": 1, "edema": 2})


def cascade():
    plan = make_plan(dimensions=3, patch_size=(8, 24, 32))
    coarse = CoarsePlan(factors=(1, 2, 4), patch_size=(8, 12, 24), batch_size=2, architecture=plan.architecture)
    return plan.model_copy(update={"coarse": coarse})


@pytest.mark.parametrize(
    ("params", "plan", "words"),
    [
        (config(loss="dice_ce"), OVERLAPPING, r"exclude one another for train\.loss dice_ce.*whole, middle.*dice_bce"),
        (inverting(), make_plan(), r"inversion_probability, found CT \(ct\).*Set it to 0"),
        (config(folds="final", scheduler="plateau"), make_plan(), r"train\.scheduler cosine or polynomial.*found plateau"),
        (config(devices=2), cascade(), r"one process to train a cascade.*of 2\. Set both to 1, or plan\.cascade"),
        (config(nodes=3), cascade(), r"train\.devices x train\.nodes of 3"),
    ],
)  # fmt: skip
def test_params_that_do_not_fit_the_plan_are_named(params, plan, words):
    with pytest.raises(ConfigError, match=words):
        require_fitting_params(params, plan)


@pytest.mark.parametrize(
    ("params", "plan"),
    [
        (config(), make_plan()),
        (config(loss="dice_ce"), EXCLUSIVE),
        (config(loss="dice_bce"), OVERLAPPING),
        (inverting(), make_plan().model_copy(update={"channels": (PICTURE,)})),
        (config(folds="ensemble", scheduler="plateau"), make_plan()),
        (config(folds="final", scheduler="polynomial"), make_plan()),
        (config(), cascade()),
        (config(devices=2, nodes=2), make_plan()),
    ],
)
def test_params_that_fit_pass(params, plan):
    require_fitting_params(params, plan)


def test_only_the_channels_that_are_no_pictures_are_named():
    plan = make_plan()
    plan = plan.model_copy(update={"channels": (PICTURE, *plan.channels)})
    with pytest.raises(ConfigError, match=r"found CT \(ct\):"):
        require_fitting_params(inverting(), plan)


def case(*labels):
    return CaseArrays("c", np.zeros((1, 1, 2, 2)), np.zeros((1, 2, 2)), {k: np.zeros((1, 3), int) for k in labels})


def task(plan):
    return TrainingTask(config(), plan, (), (), "", fold=3)


def test_a_target_that_nobody_shows_is_named_with_the_fold():
    with pytest.raises(
        ArtifactError, match=r"each target in at least one of 2 training cases of fold 3.*found none with edema\."
    ):
        require_tumors(task(EXCLUSIVE), [case(1), case()], [case(1, 2)])


def test_a_region_is_seen_by_any_of_its_labels():
    require_tumors(task(OVERLAPPING), [case(1)], [case(2)])
    with pytest.raises(ArtifactError, match="found none with middle"):
        require_tumors(task(OVERLAPPING), [case(2)], [case(2)])


def test_a_validation_that_finding_nothing_would_pass_is_refused():
    with pytest.raises(
        ArtifactError, match=r"tumor in at least one of 2 validation cases of fold 3.*split\.fold or split\.seed"
    ):
        require_tumors(task(EXCLUSIVE), [case(1), case(2)], [case(), case()])
    require_tumors(task(EXCLUSIVE), [case(1), case(2)], [case(), case(2)])
