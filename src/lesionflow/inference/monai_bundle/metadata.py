"""`configs/metadata.json` by MONAI's schema of 2024-07-25, the README and the license of a bundle: what MONAI and people are told of a model."""

from typing import Any

from lesionflow.data.bundle import Bundle
from lesionflow.data.dataset import Kind
from lesionflow.data.plan import Plan
from lesionflow.inference.monai_bundle.parity import MaskParity

SCHEMA = "https://project-monai.github.io/schema/meta_schema_20240725.json"
#: What the transforms need beside MONAI's own requirements.
PACKAGES = ("nibabel", "scipy", "scikit-image")
MODALITIES: dict[Kind, str] = {"ct": "CT", "pet": "PT", "mr": "MR", "picture": "n/a"}
INTENDED_USE = "Research use only. Not a medical device: not for diagnosis or treatment."
#: What MONAI does otherwise; where it matters, `export monai --study` measures it.
DIFFERENCES = (
    "All channels of a study must lie on one grid; lesionflow resamples them to the first one's.",
    "A study without contrast, with NaN or infinity, unlike the training data, or whose header contradicts itself is not refused.",
    "Nothing is said of confidence: temperature is in the threshold, intervals and review rules are not.",
)


def make_metadata(bundle: Bundle, name: str, version: str, versions: dict[str, str]) -> dict[str, Any]:
    """Return what `metadata.json` says.

    Args:
        bundle: The model.
        name: The registered model's.
        version: Of it.
        versions: Of the libraries by name: monai, torch, numpy and `PACKAGES`.
    """
    plan, card = bundle.plan, bundle.card
    channels, targets, labels = _named_channels(plan), _named_targets(plan), _named_labels(plan)
    spacing = " x ".join("as it is" if step is None else f"{step:g}" for step in plan.spacing_mm)
    return {
        "schema": SCHEMA,
        "version": version,
        "changelog": {version: f"exported from {name}, bundle {bundle.digest:.12}"},
        "monai_version": versions["monai"],
        "pytorch_version": versions["torch"],
        "numpy_version": versions["numpy"],
        "required_packages_version": {package: versions[package] for package in PACKAGES},
        "name": name,
        "task": f"Segmentation of {', '.join(targets.values())} in {', '.join(channels.values())}",
        "description": f"{plan.architecture.name} in {plan.dimensions}D at {spacing} mm (slice, row, column), trained on {len(card.trained_cases)} cases of "
        f"{plan.dataset.name}. Beside lesionflow: {' '.join(DIFFERENCES)}",
        "authors": f"the team that trained {name}",
        "copyright": f"the team that trained {name}",
        "data_source": f"{plan.dataset.name}: kept by the team, not published; version {card.data_revision}",
        "data_type": "nibabel",
        "image_classes": f"channels in this order: {', '.join(channels.values())}",
        "label_classes": ", ".join(f"{value} is {label}" for value, label in labels.items()),
        "pred_classes": f"one channel a target, probabilities in 0..1: {', '.join(targets.values())}",
        "eval_metrics": {"validation_dice": card.validation_dice},
        "intended_use": INTENDED_USE,
        "references": [],
        "network_data_format": _tensors(plan),
        "lesionflow": {
            "bundle_digest": bundle.digest,
            "plan_sha256": card.plan_sha256,
            "code_revision": card.code_revision,
            "data_revision": card.data_revision,
            "run_id": card.run_id,
            "lesionflow_version": card.lesionflow_version,
        },
    }


def _named_channels(plan: Plan) -> dict[str, str]:
    return {str(number): f"{channel.name} ({channel.kind})" for number, channel in enumerate(plan.channels)}


def _named_targets(plan: Plan) -> dict[str, str]:
    return {str(number): target.name for number, target in enumerate(plan.targets)}


def _named_labels(plan: Plan) -> dict[str, str]:
    return {"0": "background", **{str(value): label for label, value in plan.dataset.labels.items()}}


def _tensors(plan: Plan) -> dict[str, Any]:
    """Return what goes into the network, what comes out, and what is written."""
    channels, targets = _named_channels(plan), _named_targets(plan)
    modality = "+".join(dict.fromkeys(MODALITIES[channel.kind] for channel in plan.channels))
    spatial: list[str | int] = ["*", "*"] if plan.dimensions == 2 else list(plan.patch_size)
    tensor = {"type": "image", "spatial_shape": spatial, "dtype": "float32", "is_patch_data": plan.dimensions == 3}
    image = {
        **tensor,
        "format": "hounsfield" if modality == "CT" else "magnitude",
        "modality": modality,
        "num_channels": len(channels),
        "value_range": [],
        "channel_def": channels,
    }
    found = {
        **tensor,
        "format": "classes",
        "num_channels": len(targets),
        "value_range": [0, 1],
        "channel_def": targets,
    }
    mask = {
        "type": "image",
        "format": "segmentation",
        "num_channels": 1,
        "spatial_shape": ["*", "*", "*"],
        "dtype": "uint8",
        "value_range": [0, max(plan.dataset.labels.values())],
        "is_patch_data": False,
        "channel_def": _named_labels(plan),
    }
    return {"inputs": {"image": image}, "outputs": {"pred": found}, "post_processed_outputs": {"pred": mask}}


def make_readme(metadata: dict[str, Any], parity: MaskParity) -> str:
    """Return `docs/README.md`.

    Args:
        metadata: Of `make_metadata`.
        parity: How near MONAI's mask came to ours on a study that needs no resampling.
    """
    channels = metadata["network_data_format"]["inputs"]["image"]["channel_def"]
    several = len(channels) > 1
    place = "a folder a study with a file a channel, `CHANNEL.nii.gz`" if several else "a file a study"
    lines = [f"- {line}" for line in DIFFERENCES]
    return "\n".join(
        [
            f"# {metadata['name']}, version {metadata['version']}",
            "",
            f"{metadata['task']}. {INTENDED_USE}",
            "",
            "```",
            "python -m monai.bundle run --config_file configs/inference.json --meta_file configs/metadata.json --bundle_root . \\",
            "    --dataset_dir STUDIES --output_dir MASKS",
            "```",
            "",
            f"`STUDIES` holds {place}, as NIfTI; {metadata['image_classes']}. MONAI's command wants the package `fire`. Labels: {metadata['label_classes']}.",
            "",
            f"Beside lesionflow's own answer, on a study made by chance that needs no resampling: {parity.in_words}.",
            "",
            "What is otherwise than in lesionflow:",
            "",
            *lines,
            "",
        ]
    )


def make_license(name: str) -> str:
    """Return `LICENSE`: nobody but the team can give one."""
    return f"No license is given with this file. Rights in {name} belong to the team that trained it; ask them for the terms, and put them here.\n"
