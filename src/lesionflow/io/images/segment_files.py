"""Label files that name their own segments: read by these names, whatever their files are called."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.errors import InputError
from lesionflow.io.images import image_files
from lesionflow.io.images.mask_on_image import read_mask_on
from lesionflow.io.images.segments import ENDINGS as NRRD_ENDINGS
from lesionflow.io.images.segments import Segment, named_segments
from lesionflow.io.labels import LabelPart, wanted_parts
from lesionflow.io.rules import ReadingRules


def read_named_parts(
    paths: Sequence[Path],
    geometry: Geometry,
    rules: ReadingRules,
    *,
    tables: Sequence[Path] = (),
    image: Path | None = None,
    name: str,
) -> dict[Path, list[LabelPart]]:
    """Read the segments that the rules want of those files that name some.

    Args:
        paths: Label files of one case.
        geometry: Grid of the image that they were drawn on.
        rules: Which segment is which label.
        tables: The tables of label names of their data set.
        image: The image's file, whose header may give its voxels a second place.
        name: What to call the case in messages.

    Returns:
        What `labels.unite` takes, by file; files that name no segments are not among them.

    Raises:
        GeometryMismatchError: When a file's voxels are not the image's.
        InputError: `broken_segments`, `unknown_label` for a value that no segment has, `no_matching_outline`, and all reasons
            of the reader.
    """
    named = {path: segments for path in paths if (segments := named_segments(path, tables, name=name))}
    return {
        path: wanted_parts(_structures(path, segments, geometry, image, name), rules, name=name)
        for path, segments in named.items()
    }


def _structures(
    path: Path, segments: list[Segment], geometry: Geometry, image: Path | None, name: str
) -> list[tuple[str, NDArray[np.bool_]]]:
    if path.suffix.lower() in NRRD_ENDINGS:
        layers = image_files.read_layers_on(path, geometry, name=name)
    else:
        values = sorted({segment.value for segment in segments})
        layers = [read_mask_on(path, geometry, values, image=image, name=name).labels]
    if any(not 0 <= segment.layer < len(layers) for segment in segments):
        message = f"Expected the layers of all segments in {name}, found {len(layers)}. Export it again."
        raise InputError(message, reason="broken_segments")
    for number, layer in enumerate(layers):
        known = {0, *(segment.value for segment in segments if segment.layer == number)}
        unknown = sorted(set(np.flatnonzero(np.bincount(layer.ravel())).tolist()) - known)
        if unknown:
            raise InputError(
                f"Expected a segment for each value in the mask of {name}, found none for {unknown[:12]}. Export it again.",
                reason="unknown_label",
            )
    return [(segment.name, layers[segment.layer] == segment.value) for segment in segments]
