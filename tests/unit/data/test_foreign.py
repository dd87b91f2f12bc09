"""A foreign model is part of the plan, and so of its digest; plans without one keep theirs."""

from lesionflow.data.foreign import ForeignModel
from support.bundles import small_plan

MODEL = ForeignModel(
    program="nnunet", trainer="nnUNetTrainer", configuration="2d", folds=("0",), plans={}, declaration={},
    mirroring_axes=None, aliases={}, label_values=(1,), heads=((), (1,)), exclusive=True, sha256="0" * 64,
)  # fmt: skip


def test_a_plan_without_a_foreign_model_says_nothing_of_it_in_its_digest():
    plan = small_plan()
    assert "foreign" not in plan.model_dump_json(exclude_defaults=True)
    assert plan.model_copy(update={"foreign": MODEL}).digest() != plan.digest()


def test_it_comes_back_from_json():
    assert ForeignModel.model_validate_json(MODEL.model_dump_json()) == MODEL
