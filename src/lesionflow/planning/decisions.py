"""From facts to decisions. Every decision says why; any can be pinned in params."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np

from lesionflow.data.dataset import Dataset, Kind
from lesionflow.data.fingerprint import BackgroundContrast, Fingerprint
from lesionflow.data.geometry import Shape
from lesionflow.data.plan import ArchitecturePlan, ChannelPlan, Decision, InferencePlan, Plan
from lesionflow.planning.cascade import decide_on_cascade
from lesionflow.planning.patch import PINNED, SpacingByAxis
from lesionflow.planning.sizes import Sizes, shape_network

#: CT is never clipped tighter than this: muscle, fat and contrast around a tumor are what tells it apart.
WIDEST_NEEDED_HU = (-150.0, 250.0)
#: PET is never clipped below this uptake, so that organs of high uptake stay apart from tumors.
LEAST_UPPER_SUV = 10.0
#: Beyond this ratio of slice to in-plane spacing the slice axis keeps the finer data's spacing (nnU-Net's rule).
ANISOTROPIC = 3.0
#: Fewer slices than this are no volume to a network that halves them several times.
LEAST_SLICES = 16


def make_plan(
    fingerprint: Fingerprint,
    dataset: Dataset,
    *,
    dimensions: Literal[2, 3] | None,
    spacing_mm: SpacingByAxis,
    patch_size: tuple[int, int, int] | None,
    batch_size: int | None,
    context_slices: int,
    memory_budget_mb: int,
    ct_window_hu: tuple[float, float] | None,
    dark_background: bool | None,
    denoising: Literal["none", "median", "curvature"],
    bias_field_correction: bool,
    cascade: bool | None,
    architecture: ArchitecturePlan,
    offered: tuple[int, ...],
    size_multiple: int,
    memory_mb: Callable[[int, ArchitecturePlan, int, Shape], tuple[float, float]],
    inference: InferencePlan,
) -> Plan:
    """Decide how to train on data of this kind.

    Args:
        fingerprint: Facts of the training cases.
        dataset: Channels and labels.
        dimensions: 2 or 3; None lets the data decide.
        spacing_mm: Pinned (slice, row, column) spacing; null lets the data decide.
        patch_size: Pinned patch, or None.
        batch_size: Pinned batch, or None.
        context_slices: Neighboring slices that a 2D network sees.
        memory_budget_mb: Memory that training may hold.
        ct_window_hu: Pinned CT window, or None.
        dark_background: Whether pictures on a bright background are turned light to dark; None lets the data decide.
        denoising: Filter of every channel.
        bias_field_correction: N4 on MR channels.
        cascade: Whether a first stage on shrunk volumes tells the network what lies beyond its patch; None lets the data decide.
        architecture: The network.
        offered: Dimensions that the network exists in.
        size_multiple: Number that each network axis must be a multiple of, were all halved alike.
        memory_mb: What training a network of 2 or 3 dimensions, with so many further channels, holds for a (slice, row,
            column) patch: MB whatever the batch, and MB a sample.
        inference: How patches become a mask.

    Returns:
        The plan, with a sentence for each decision.

    Raises:
        ConfigError: When the memory budget does not hold the smallest batch, or the pinned one; the message says which
            number to raise; or a cascade of slices is asked for.
    """
    decisions: list[Decision] = []
    dimensions, why_dimensions = _dimensions(fingerprint, dimensions, spacing_mm, offered)
    spacing = _spacing(fingerprint, dimensions, spacing_mm, decisions)
    given, architecture = architecture, shape_network(architecture, dimensions, spacing, decisions)
    sizes = Sizes(
        fingerprint, spacing, dimensions, context_slices, patch_size, batch_size, memory_budget_mb, size_multiple
    )
    of_channels = partial(memory_mb, dimensions, architecture)
    chosen = sizes.choose(architecture, partial(of_channels, 0))
    coarse = decide_on_cascade(sizes, chosen, given, partial(memory_mb, 3), cascade, decisions)
    chosen = sizes.choose(architecture, partial(of_channels, len(dataset.targets))) if coarse else chosen
    decisions += chosen.decisions
    channels = _channels(fingerprint, dataset, decisions, ct_window_hu=ct_window_hu, dark_background=dark_background)
    decisions += _settled(dimensions, why_dimensions, architecture, sizes, dataset)
    return Plan(
        dataset=dataset,
        dimensions=dimensions,
        spacing_mm=spacing,
        patch_size=chosen.patch,
        batch_size=chosen.batch,
        context_slices=context_slices if dimensions == 2 else 1,
        channels=channels,
        denoising=denoising,
        bias_field_correction=bias_field_correction,
        architecture=architecture,
        inference=inference,
        decisions=tuple(decisions),
        coarse=coarse,
    )


def _dimensions(
    fingerprint: Fingerprint, wanted: Literal[2, 3] | None, pinned: SpacingByAxis, offered: tuple[int, ...]
) -> tuple[Literal[2, 3], str]:
    """Choose between slices and volumes.

    Volumes tell a tumor from what looks like it in one slice; but in few or thick slices neighbors hardly resemble one another
    (nnU-Net finds 2D the better there, DOI 10.1038/s41592-020-01008-z).
    """
    if wanted is not None:
        return wanted, "set in params"
    if len(offered) == 1:
        return (3 if offered == (3,) else 2), "the network exists in no other"
    slices, rows, columns = (
        own if pin is None else pin for own, pin in zip(fingerprint.median_spacing_mm, pinned, strict=True)
    )
    n_slices, ratio = round(fingerprint.median_body_mm[0] / slices), slices / float(np.sqrt(rows * columns))
    if n_slices < LEAST_SLICES:
        return 2, f"the median body has {n_slices} slices, volumes need {LEAST_SLICES}"
    if ratio > ANISOTROPIC:
        return 2, f"slices are {ratio:.1f} times as thick as pixels, in volumes at most {ANISOTROPIC:g} times"
    return 3, f"the median body has {n_slices} slices, {ratio:.1f} times as thick as pixels"


def _spacing(
    fingerprint: Fingerprint, dimensions: int, pinned: SpacingByAxis, decisions: list[Decision]
) -> SpacingByAxis:
    slices, rows, columns = fingerprint.median_spacing_mm
    in_plane = round(float(np.sqrt(rows * columns)), 3)
    through: float | None = None
    why_through = "a 2D network works on each study's own slices"
    if dimensions == 3:
        coarse = slices > ANISOTROPIC * in_plane
        through = round(fingerprint.fine_slice_spacing_mm if coarse else slices, 3)
        why_through = "10th percentile, as slices are much coarser than pixels" if coarse else "median of the cases"
    why_plane = "median of the cases, equal along rows and columns so that turning a patch shears nothing"
    chosen: list[float | None] = []
    for axis, pin, own, why in zip(
        ("slice", "row", "column"),
        pinned,
        (through, in_plane, in_plane),
        (why_through, why_plane, why_plane),
        strict=True,
    ):
        value = own if pin is None else pin
        chosen.append(value)
        shown = "each study's own" if value is None else f"{value:g} mm"
        decisions.append(Decision.of(f"spacing of {axis}s", shown, why if pin is None else PINNED))
    return (chosen[0], chosen[1], chosen[2])


def _settled(
    dimensions: int, why: str, architecture: ArchitecturePlan, sizes: Sizes, dataset: Dataset
) -> list[Decision]:
    """Say what params settle, for who reads the plan alone."""
    sees = (
        "a volume's patches"
        if dimensions == 3
        else f"{sizes.context_slices} neighboring slices, to predict the middle one"
    )
    shown = " x ".join(map(str, sizes.multiples(architecture)[3 - dimensions :]))
    outputs = ", ".join(target.name for target in dataset.targets)
    options = ", ".join(f"{name} {value}" for name, value in architecture.options.items()) or "no options"
    return [
        Decision.of("dimensions", f"{dimensions}D", f"{why}: the network sees {sees}"),
        Decision.of("network", architecture.name, f"set in params: {options}; axes in multiples of {shown}"),
        Decision.of("outputs", outputs, "one sigmoid output a region, or a label where no region is declared"),
    ]


def _channels(
    fingerprint: Fingerprint, dataset: Dataset, decisions: list[Decision], **pinned: Any
) -> tuple[ChannelPlan, ...]:
    kinds = enumerate(dataset.channels.items())
    return tuple(_channel(fingerprint, index, name, kind, decisions, **pinned) for index, (name, kind) in kinds)


def _channel(
    fingerprint: Fingerprint,
    index: int,
    name: str,
    kind: Kind,
    decisions: list[Decision],
    *,
    ct_window_hu: tuple[float, float] | None,
    dark_background: bool | None,
) -> ChannelPlan:
    if kind in {"mr", "picture"}:
        why = "its values have no physical unit, so each study is scaled by its own non-zero voxels"
        decisions.append(Decision.of(f"intensities of {name}", "z-score a study", why))
        turned = kind == "picture" and _background(
            fingerprint.contrasts[index], name, decisions, pinned=dark_background
        )
        return ChannelPlan(name=name, kind=kind, lower=None, upper=None, mean=None, std=None, dark_background=turned)
    low, high = fingerprint.tumor_bounds(index)
    if kind == "pet":
        lower, upper = 0.0, max(high, LEAST_UPPER_SUV)
        why = f"99.5 % of tumor voxels lie below SUV {high:.1f}; never below {LEAST_UPPER_SUV:g}"
    elif ct_window_hu is not None:
        (lower, upper), why = ct_window_hu, f"window {PINNED}"
    else:
        lower, upper = min(low, WIDEST_NEEDED_HU[0]), max(high, WIDEST_NEEDED_HU[1])
        why = f"99 % of tumor voxels lie in {low:.0f}..{high:.0f} HU; widened to soft tissue around them"
    clipped = np.clip(fingerprint.body[index], lower, upper).astype(np.float64)
    mean, std = round(float(clipped.mean()), 4), round(max(float(clipped.std()), 1e-3), 4)
    value = f"clip to {lower:.1f}..{upper:.1f}, minus {mean:.1f}, by {std:.1f}"
    decisions.append(Decision.of(f"intensities of {name}", value, why + "; mean and deviation of the body"))
    return ChannelPlan(name=name, kind=kind, lower=round(lower, 4), upper=round(upper, 4), mean=mean, std=std)


def _background(contrast: BackgroundContrast, name: str, decisions: list[Decision], *, pinned: bool | None) -> bool:
    turned = contrast.better_turned if pinned is None else pinned
    before, after = contrast.agreement(turned=False), contrast.agreement(turned=True)
    why = (
        f"{contrast.bright_background.mean():.0%} of the pictures are dark on a bright background; what is outlined differs from "
        f"the rest in the same direction in {before:.0%} of them as they are, in {after:.0%} were those turned"
    )
    value = "bright ones turned light to dark" if turned else "as it is"
    decisions.append(Decision.of(f"background of {name}", value, why if pinned is None else f"{PINNED}; {why}"))
    return turned
