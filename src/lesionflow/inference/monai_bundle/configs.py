"""`configs/inference.json`: a plan and its rules in MONAI's transforms, from files of NIfTI to masks on their own grids."""

from typing import Any

from lesionflow.data.calibration import MaskRules
from lesionflow.data.dataset import Target
from lesionflow.data.plan import ChannelPlan, Plan
from lesionflow.errors import ConfigError
from lesionflow.inference.patches import GAUSSIAN_SHARE
from lesionflow.inference.postprocessing import own_label
from lesionflow.models import size_multiple
from lesionflow.preprocessing.crop import BODY_HU
from lesionflow.preprocessing.resampling import HALF_VOXEL, SAME_INDEX, SMOOTHING_REACH

#: Slices to the head, rows to the back, columns to the left, by the letters of nibabel.
AXES = "SPL"
IMAGE, PREDICTION, GRID = "image", "pred", "grid"
MASK_ENDING = "_mask.nii.gz"
#: Slices that a 2D network is given at a time.
SLICES_AT_A_TIME = 8


def require_expressible(plan: Plan, rules: MaskRules) -> None:
    """Refuse what MONAI's transforms can't say.

    Args:
        plan: Of the bundle.
        rules: Of the bundle.

    Raises:
        ConfigError: It names all that stands in the way.
    """
    reasons = {
        "a cascade of two networks": plan.coarse is not None,
        "a network of another program": plan.foreign is not None,
        f"{plan.context_slices} context slices of a 2D network": plan.dimensions == 2 and plan.context_slices > 1,
        f"denoising by {plan.denoising}": plan.denoising != "none",
        "bias field correction": plan.bias_field_correction,
        "pictures turned to a dark background": any(channel.dark_background for channel in plan.channels),
        "the rule smoothing_mm": rules.smoothing_mm > 0,
        "the rule inside_body": rules.inside_body,
        "the rule surest_only": rules.surest_only,
    }
    found = [reason for reason, stands in reasons.items() if stands]
    if found:
        raise ConfigError(
            f"Expected a model that MONAI's own transforms can say, found {', '.join(found)}. Export another version, or serve this one by lesionflow."
        )


def inference_config(plan: Plan, rules: MaskRules, threshold: float) -> dict[str, Any]:
    """Return what MONAI's `ConfigParser` makes an inference of.

    Args:
        plan: Of the bundle.
        rules: Of the bundle.
        threshold: From which probability on, as the network gave it, a voxel belongs.

    Raises:
        ConfigError: When MONAI's transforms can't say it.
    """
    require_expressible(plan, rules)
    several = len(plan.channels) > 1
    return {
        "imports": [
            "$import functools",
            "$import glob",
            "$import itertools",
            "$import math",
            "$import os",
            "$from scipy import ndimage",
        ],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/masks'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "channels": [channel.name for channel in plan.channels],
        "spacing_mm": [step or -1.0 for step in plan.spacing_mm],
        "threshold": threshold,
        "studies": "$sorted(glob.glob(@dataset_dir + '/*/'))"
        if several
        else "$sorted(glob.glob(@dataset_dir + '/*.nii.gz') + glob.glob(@dataset_dir + '/*.nii'))",
        "datalist": "$[{'image': [os.path.join(study, name + '.nii.gz') for name in @channels]} for study in @studies]"
        if several
        else "$[{'image': study} for study in @studies]",
        **_helpers(),
        "preprocessing": {"_target_": "Compose", "transforms": _preprocessing(plan)},
        "dataset": {"_target_": "Dataset", "data": "@datalist", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "network_def": "$torch.jit.load(@bundle_root + '/models/model.ts', map_location=@device)",
        "network": "$@network_def.to(@device).eval()",
        **_inferer(plan),
        "restoring": {"_target_": "Compose", "transforms": _restoring()},
        "tidying": {"_target_": "Compose", "transforms": _tidying(rules)},
        "label_order": _label_order(plan.targets),
        "deciding": {"_target_": "Compose", "transforms": _deciding(plan.targets)},
        "postprocessing": {"_target_": "Compose", "transforms": ["@restoring", "@deciding", _saving()]},
        # With pytorch-ignite, as MONAI's programs for bundles want it; `run` needs none.
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
        },
        "predict": "$torch.no_grad()(lambda image: @inferer(image[None].to(@device), @network)[0].cpu())",
        "run": ["$[@postprocessing({**study, 'pred': @predict(study['image'])}) for study in @dataset]"],
    }


def _helpers() -> dict[str, str]:
    """Return what transforms below call."""
    numpy = "monai.utils.convert_data_type(x, numpy.ndarray)[0]"
    sigmas = f"[max(f * f - 1.0, 0.0) ** 0.5 / 2.0 if f > {1.0 + SAME_INDEX} else 0.0 for f in factors]"
    axes = "(x.affine[:3, :3] / x.affine[:3, :3].norm(dim=0)).T.matmul(own / own.norm(dim=0))"
    own = "torch.as_tensor(x.meta['original_affine'])[:3, :3].to(x.affine)"
    return {
        # A Gaussian before a grid is made coarser, by what each axis loses.
        "blur": f"$lambda x, factors: monai.utils.convert_to_dst_type(ndimage.gaussian_filter({numpy}, [0.0, *{sigmas}], mode='nearest', "
        f"truncate={SMOOTHING_REACH}), x)[0]",
        # The spacing of the file along the axes of model space.
        "source_spacing_mm": f"$lambda x: (lambda own: own.norm(dim=0)[({axes}).abs().argmax(1)].tolist())({own})",
        "factors": "$lambda x: [w / p if w > 0 else 1.0 for w, p in zip(@spacing_mm, x.pixdim.tolist())]",
        # It starts at the same voxel and covers all; what lies more than half a voxel beyond the last one is 0.
        "inside": f"$lambda n, f: (torch.arange(math.ceil((n - 1) / f - {SAME_INDEX}) + 1) * f <= n - {HALF_VOXEL}).float()",
        "model_grid": "$lambda x: monai.data.MetaTensor(functools.reduce(lambda a, b: a[..., None] * b, map(@inside, x.shape[1:], @factors(x)), torch.ones(1)), "
        "meta=dict(x.meta), affine=x.affine.matmul(torch.diag(torch.tensor([*@factors(x), 1.0], dtype=x.affine.dtype))))",
        "by_constants": "$lambda x, lower, upper, mean, std: (x.clamp(lower, upper) - mean) / std",
        "by_itself": "$lambda x: (x - x[x != 0].mean()) / x[x != 0].std(correction=0)",
    }


def _preprocessing(plan: Plan) -> list[dict[str, Any] | str]:
    parts = ", ".join(_normalized(number, channel) for number, channel in enumerate(plan.channels))
    if plan.dimensions == 2:
        multiple = size_multiple(plan.architecture)
        padding: dict[str, Any] = {"_target_": "DivisiblePadd", "k": [1, multiple, multiple]}
    else:
        padding = {"_target_": "SpatialPadd", "spatial_size": list(plan.patch_size)}
    return [
        {"_target_": "LoadImaged", "keys": IMAGE, "image_only": True},
        {"_target_": "EnsureChannelFirstd", "keys": IMAGE},
        {"_target_": "EnsureTyped", "keys": IMAGE, "dtype": "$torch.float32"},
        {"_target_": "Orientationd", "keys": IMAGE, "axcodes": AXES, "labels": None},
        _cropping(plan),
        "$lambda d: {**d, 'grid': @model_grid(d['image'])}",
        {"_target_": "Lambdad", "keys": IMAGE, "func": "$lambda x: @blur(x, @factors(x))"},
        {"_target_": "ResampleToMatchd", "keys": IMAGE, "key_dst": GRID, "mode": "bilinear", "padding_mode": "border"},
        "$lambda d: {**d, 'image': d['image'] * torch.as_tensor(d['grid'])}",
        {"_target_": "DeleteItemsd", "keys": GRID},
        {"_target_": "EnsureTyped", "keys": IMAGE, "dtype": "$torch.float32"},
        {"_target_": "Lambdad", "keys": IMAGE, "func": f"$lambda x: torch.cat([{parts}])"},
        {**padding, "keys": IMAGE, "method": "end", "mode": "edge"},
    ]


def _cropping(plan: Plan) -> dict[str, Any]:
    crop = {"_target_": "CropForegroundd", "keys": IMAGE, "source_key": IMAGE, "allow_smaller": True}
    kinds = [channel.kind for channel in plan.channels]
    if "ct" not in kinds:
        return {**crop, "select_fn": "$lambda x: x != 0"}
    largest = (
        f"monai.transforms.utils.get_largest_connected_component_mask(torch.as_tensor(x) > {BODY_HU}, connectivity=1)"
    )
    return {**crop, "select_fn": f"$lambda x: {largest}", "channel_indices": kinds.index("ct")}


def _normalized(number: int, channel: ChannelPlan) -> str:
    x = f"x[{number}:{number + 1}]"
    if channel.mean is None or channel.std is None:
        return f"@by_itself({x})"
    limits = [
        repr(value) if value is not None else f"float('{without}')"
        for value, without in ((channel.lower, "-inf"), (channel.upper, "inf"))
    ]
    return f"@by_constants({x}, {', '.join(limits)}, {channel.mean!r}, {channel.std!r})"


def _inferer(plan: Plan) -> dict[str, Any]:
    if plan.dimensions == 2:
        whole = {"_target_": "SliceInferer", "spatial_dim": 0, "roi_size": [-1, -1], "sw_batch_size": SLICES_AT_A_TIME}
        return {"inferer": {**whole, "mode": "constant"}}
    curve = f"torch.exp(-0.5 * ((torch.arange(n) - (n - 1) / 2) / (n * {GAUSSIAN_SHARE})) ** 2)"
    step = "max(int(size * (1.0 - @overlap)), 1)"
    is_empty = "(x.amax((0, 2, 3, 4)) == x.amin((0, 2, 3, 4))).all()"
    empty = (
        f"(inputs.new_zeros((1, {len(plan.targets)}, *inputs.shape[2:])), inputs.new_zeros((1, 1, *inputs.shape[2:])))"
    )
    add = "functools.reduce(lambda sums, box: @add_window(sums, box, @look(inputs[box], network)), @window_boxes(inputs.shape[2:]), @no_sums(inputs))"
    return {
        "patch_size": list(plan.patch_size),
        "overlap": plan.inference.overlap_fraction,
        # MONAI's own windows lie by a fixed step, and its Gaussian ends at a thousandth of its middle; ours lie evenly and it goes on.
        "window_weights": f"$functools.reduce(lambda w, n: w[..., None] * {curve}, @patch_size, torch.ones(())).to(@device)[None, None]",
        "window_starts": f"$lambda n, size: [round(i * (n - size) / max(c - 1, 1)) for c in [-(-(n - size) // {step}) + 1] for i in range(c)]",
        "window_boxes": "$lambda shape: [(..., *(slice(a, a + size) for a, size in zip(corner, @patch_size))) for corner in "
        "itertools.product(*map(@window_starts, shape, @patch_size))]",
        "look": f"$lambda x, network: x.new_zeros(()) if {is_empty} else network(x)",
        "no_sums": f"$lambda inputs: {empty}",
        "add_window": "$lambda sums, box, found: (sums[0][box].add_(found * @window_weights), sums[1][box].add_(@window_weights), sums)[-1]",
        "blend": f"$lambda inputs, network: (lambda sums: sums[0] / sums[1])({add})",
        "inferer": "$lambda inputs, network, *args, **kwargs: monai.utils.convert_to_dst_type(@blend(torch.as_tensor(inputs).as_subclass(torch.Tensor), "
        "network), inputs)[0]",
    }


def _restoring() -> list[dict[str, Any]]:
    factors = "[o / p for o, p in zip(@source_spacing_mm(x), x.pixdim.tolist())]"
    return [
        {"_target_": "Lambdad", "keys": PREDICTION, "func": f"$lambda x: @blur(x, {factors})"},
        {
            "_target_": "Invertd",
            "keys": PREDICTION,
            "transform": "@preprocessing",
            "orig_keys": IMAGE,
            "nearest_interp": False,
            "to_tensor": True,
        },
    ]


def _tidying(rules: MaskRules) -> list[dict[str, Any]]:
    """Return what is done to a mask (1, slice, row, column) of one target."""
    steps: list[dict[str, Any]] = []
    if rules.fill_holes:
        steps.append({"_target_": "FillHoles", "applied_labels": [1], "connectivity": 1})
    if rules.min_lesion_ml > 0:
        cubic_mm = rules.min_lesion_ml * 1000.0
        steps.append({"_target_": "RemoveSmallObjects", "min_size": cubic_mm, "connectivity": 3, "by_measure": True})
    if rules.largest_only:
        steps.append({"_target_": "KeepLargestConnectedComponent", "applied_labels": [1], "connectivity": 3})
    return steps


def _deciding(targets: tuple[Target, ...]) -> list[dict[str, Any]]:
    above = "x >= @threshold"
    if len(targets) > 1 and all(len(target.labels) == 1 for target in targets):
        # Of equals the first one wins.
        best = "(lambda best: best & (best.cumsum(0) == 1))(x == x.amax(0, keepdim=True))"
        above = f"({above}) & {best}"
    tidied = "torch.cat([@tidying(x[i:i + 1]) for i in range(len(x))])"
    written = (
        "functools.reduce(lambda out, one: torch.where((x[one[0]:one[0] + 1] > 0) & ((out > 0) | (not one[2])), "
        "torch.full_like(out, one[1]), out), @label_order, torch.zeros_like(x[:1]))"
    )
    return [
        {"_target_": "Lambdad", "keys": PREDICTION, "func": f"$lambda x: {body}"}
        for body in (f"({above}).float()", tidied, written)
    ]


def _label_order(targets: tuple[Target, ...]) -> list[list[Any]]:
    """Return of each target its number, the label it writes, and whether only within what is written already."""
    regions = any(len(target.labels) > 1 for target in targets)
    return [
        [
            number,
            own_label(target, targets[number + 1 :]),
            bool(number and regions and set(target.labels) < set(targets[number - 1].labels)),
        ]
        for number, target in enumerate(targets)
    ]


def _saving() -> dict[str, Any]:
    return {
        "_target_": "SaveImaged",
        "keys": PREDICTION,
        "output_dir": "@output_dir",
        "data_root_dir": "@dataset_dir",
        "output_postfix": MASK_ENDING.removesuffix(".nii.gz").lstrip("_"),
        "output_dtype": "$numpy.uint8",
        "separate_folder": False,
        "resample": False,
        "print_log": False,
    }
