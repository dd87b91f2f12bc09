"""What an nnU-Net does with a study, said as a plan of ours: channels and labels of the workspace, space and patches of nnU-Net."""

from collections.abc import Mapping, Sequence
from typing import Any

from lesionflow.data.dataset import IGNORE, Dataset
from lesionflow.data.foreign import ForeignModel
from lesionflow.data.plan import ArchitecturePlan, ChannelPlan, Decision, InferencePlan, Plan
from lesionflow.errors import ArtifactError
from lesionflow.io.exchange.nnunet_declaration import CT, LabelCoding
from lesionflow.io.exchange.nnunet_model import NnunetModel

NAME = "nnunet"


def make_foreign_plan(model: NnunetModel, dataset: Dataset) -> Plan:
    """Return the plan of an imported model.

    Args:
        model: What its folder holds.
        dataset: Channels, labels and regions of the workspace.

    Raises:
        ArtifactError: When channels or labels are not those of the workspace.
    """
    foreign = _describe(model, dataset)
    configuration = _configuration(model.plans["configurations"], model.configuration)
    back = model.plans.get("transpose_backward", [0, 1, 2])
    spacing, patch = (_in_our_order(configuration[key], back) for key in ("spacing", "patch_size"))
    flips = tuple(model.mirroring_axes or ())
    words = {
        "network": (f"nnU-Net, {model.configuration}, trainer {model.trainer}", "imported as it was trained"),
        "folds": (", ".join(model.folds), "their networks answer as one"),
        "preprocessing": ("nnU-Net's own", "the program runs as a whole, from the study to the mask on its grid"),
        "plans": (model.plans.get("plans_name", "unknown"), "of nnU-Net's planner"),
    }
    return Plan(
        dataset=dataset,
        dimensions=2 if len(configuration["patch_size"]) == 2 else 3,
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
        patch_size=(int(patch[0] or 1), int(patch[1] or 1), int(patch[2] or 1)),
        batch_size=int(configuration.get("batch_size", 1)),
        context_slices=1,
        channels=_channels(model.plans, dataset),
        denoising="none",
        bias_field_correction=False,
        architecture=ArchitecturePlan(name=NAME, options={}, n_members=len(model.folds)),
        inference=InferencePlan(
            overlap_fraction=0.5, flip_axes=flips, probability_threshold=0.5, min_lesion_ml=0.0, fill_holes=False
        ),
        decisions=tuple(Decision.of(what, value, why) for what, (value, why) in words.items()),
        foreign=foreign,
    )


def _describe(model: NnunetModel, dataset: Dataset) -> ForeignModel:
    _require_channels(model.declaration, dataset)
    labels = _declared(model.declaration)
    exclusive = _is_exclusive(labels)
    values = read_label_values(model.declaration, dataset)
    heads = [tuple(values[code - 1] for code in _codes(value)) for value in labels.values()]
    if exclusive:
        heads = [(), *((value,) for value in values)]
    return ForeignModel(
        program=NAME,
        trainer=model.trainer,
        configuration=model.configuration,
        folds=model.folds,
        plans=model.plans,
        declaration=model.declaration,
        mirroring_axes=model.mirroring_axes,
        aliases=model.aliases,
        label_values=values,
        heads=tuple(heads),
        exclusive=exclusive,
        sha256=model.sha256,
    )


def read_label_values(declaration: Mapping[str, Any], dataset: Dataset) -> tuple[int, ...]:
    """Return our label of nnU-Net's label 1, 2, 3, ...

    Args:
        declaration: What its `dataset.json` holds.
        dataset: Labels and regions of the workspace, told by their names.

    Raises:
        ArtifactError: When they are others.
    """
    labels = _declared(declaration)
    return _labels(labels, dataset) if _is_exclusive(labels) else _regions(labels, dataset)


def _declared(declaration: Mapping[str, Any]) -> dict[str, Any]:
    left_out = (IGNORE, "background")
    return {str(name): value for name, value in declaration.get("labels", {}).items() if name not in left_out}


def _is_exclusive(labels: Mapping[str, Any]) -> bool:
    return not any(isinstance(value, list) and len(value) > 1 for value in labels.values())


def _labels(labels: Mapping[str, Any], dataset: Dataset) -> tuple[int, ...]:
    """Return our label of nnU-Net's 1, 2, ..., told by the names of both."""
    by_code = {_codes(value)[0]: name for name, value in labels.items()}
    ours = dataset.labels
    names = [by_code.get(code, "") for code in range(1, len(labels) + 1)]
    if sorted(names) != sorted(ours):
        raise _mismatch("labels", sorted(ours), sorted(labels))
    return tuple(ours[name] for name in names)


def _regions(labels: Mapping[str, Any], dataset: Dataset) -> tuple[int, ...]:
    coding = LabelCoding.of(dataset)
    wanted = {target.name: sorted(coding.code(label) for label in target.labels) for target in dataset.targets}
    if {name: sorted(_codes(value)) for name, value in labels.items()} != wanted:
        raise _mismatch(
            "regions", [f"{name} {codes}" for name, codes in wanted.items()], [f"{n} {v}" for n, v in labels.items()]
        )
    return coding.values


def _codes(value: Any) -> list[int]:
    return [int(code) for code in value] if isinstance(value, list) else [int(value)]


def _require_channels(declaration: Mapping[str, Any], dataset: Dataset) -> None:
    told = declaration.get("channel_names", declaration.get("modality", {}))
    names = [str(told[key]) for key in sorted(told, key=int)]
    kinds = list(dataset.channels.values())
    # A channel that nnU-Net takes for CT is in HU; of the others their order can't be told by it.
    if len(names) != len(kinds) or any(
        name.upper() == CT and kind != "ct" for name, kind in zip(names, kinds, strict=True)
    ):
        raise _mismatch("channels", [f"{name} ({kind})" for name, kind in dataset.channels.items()], names)
    ours = [name.casefold() for name in dataset.channels]
    theirs = [name.casefold() for name in names]
    if theirs != ours and sorted(theirs) == sorted(ours):
        raise _mismatch("channels in this order", list(dataset.channels), names)


def _mismatch(what: str, expected: Sequence[str], found: Sequence[str]) -> ArtifactError:
    return ArtifactError(
        f"Expected a model of this workspace's {what} {', '.join(expected)}, found {', '.join(found)}. Train nnU-Net on `lesionflow export "
        "nnunet`, or name its labels in dataset.json as here."
    )


def _channels(plans: Mapping[str, Any], dataset: Dataset) -> tuple[ChannelPlan, ...]:
    measured = plans.get("foreground_intensity_properties_per_channel", {})
    channels = []
    for number, (name, kind) in enumerate(dataset.channels.items()):
        figures = measured.get(str(number), {}) if kind == "ct" else {}
        keys = ("percentile_00_5", "percentile_99_5", "mean", "std")
        lower, upper, mean, std = (figures.get(key) for key in keys)
        channels.append(ChannelPlan(name=name, kind=kind, lower=lower, upper=upper, mean=mean, std=std))
    return tuple(channels)


def _configuration(configurations: Mapping[str, Any], name: str) -> dict[str, Any]:
    settings = configurations[name]
    above = settings.get("inherits_from")
    return {**(_configuration(configurations, above) if above in configurations else {}), **settings}


def _in_our_order(values: Sequence[float], back: Sequence[int]) -> list[float | None]:
    """Return values of nnU-Net's axes as (slice, row, column); a 2D configuration says nothing of its first axis."""
    whole = [None, *values] if len(values) == 2 else list(values)
    return [whole[axis] for axis in back]
