"""From stored numbers to values: by rescale, real-world value or lookup table, decided for a series as a whole.

References:
    DICOM PS3.3 C.11.1 (Modality LUT), C.7.6.16.2.9 (Pixel Value Transformation), C.7.6.16.2.11 (Real World Value Mapping).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels import apply_modality_lut

from lesionflow.errors import DicomError
from lesionflow.io.dicom.values.real_world import Mapping, mapping_of
from lesionflow.io.notes import note

#: What CT may say of its values: HU, or nothing in particular; effective Z, iodine and others are no density.
CT_UNITS = ("HU", "HU_MOD", "US")
#: HU by their UCUM codes.
HU_CODES = ("[hnsf'U]", "[hnsf'u]", "HU")
IDENTITY = (1.0, 0.0)


class Scale(NamedTuple):
    """Value = slope x stored + intercept."""

    slope: float
    intercept: float


def scales_of(slices: Sequence[Any], *, name: str) -> list[Scale | None]:
    """Return each slice's scale; None where a lookup table stands in its place.

    Args:
        slices: The data sets of all slices of a series.
        name: What to call the study in messages.

    Returns:
        One a slice. MR is rescaled where a rescale says more than 1 and 0, else by its real-world values, else as stored.

    Raises:
        DicomError: `missing_rescale`, `unsupported_ct_units`, `mixed_units`, and the reasons of real-world values.
    """
    modality = str(slices[0].Modality)
    tables = [bool(data.get("ModalityLUTSequence")) for data in slices]
    if any(tables) and not all(tables):
        _refuse_mixed(name, "a lookup table on some slices and none on others")
    if all(tables):
        return [None] * len(slices)
    scales = [_rescale(data) for data in slices]
    if modality == "MR":
        return list(_mr_scales(slices, scales, name))
    if modality == "CT" and not any(scales):
        scales = [_mapped(mapping_of(_items(data), HU_CODES, name=name)) for data in slices]
    elif modality == "CT":
        _require_hu(slices, name)
    found = [_require(scale, name) for scale in scales]
    if len({scale.slope > 0 for scale in found}) > 1:
        _refuse_mixed(name, "slopes above and below 0")
    return list(found)


def _rescale(data: Any) -> Scale | None:
    slope, intercept = data.get("RescaleSlope"), data.get("RescaleIntercept")
    return None if slope is None or intercept is None else Scale(float(slope), float(intercept))


def _mapped(mapping: Mapping | None) -> Scale | None:
    return None if mapping is None else Scale(mapping.slope, mapping.intercept)


def _items(data: Any) -> Sequence[Any]:
    return data.get("RealWorldValueMappingSequence") or ()


def _require(scale: Scale | None, name: str) -> Scale:
    if scale is None:
        _refuse("missing_rescale", f"Expected rescale slope and intercept in {name}, found none: its unit is unknown.")
    if scale.slope == 0.0:
        _refuse("missing_rescale", f"Expected a rescale slope other than 0 in {name}.")
    return scale


def _require_hu(slices: Sequence[Any], name: str) -> None:
    units = sorted({str(data.get("RescaleType") or "HU").strip().upper() for data in slices})
    foreign = [unit for unit in units if unit not in CT_UNITS]
    if foreign:
        _refuse(
            "unsupported_ct_units",
            f"Expected CT in HU in {name}, found {' and '.join(foreign):.40}. Export the series in HU.",
        )


def _mr_scales(slices: Sequence[Any], scales: list[Scale | None], name: str) -> Sequence[Scale]:
    said = [scale for scale in scales if scale is not None]
    if any(scale != IDENTITY for scale in said):
        if len(said) < len(scales):
            _refuse_mixed(name, "a rescale on some slices and none on others")
        types = {str(data.get("RescaleType") or "") for data in slices}
        if len(types) > 1:
            _refuse_mixed(name, f"the rescale types {', '.join(sorted(types))}")
        return [_require(scale, name) for scale in scales]
    mappings = [mapping_of(_items(data), None, name=name) for data in slices]
    mapped = [mapping for mapping in mappings if mapping is not None]
    if not any((mapping.slope, mapping.intercept) != IDENTITY for mapping in mapped):
        return [Scale(*IDENTITY)] * len(slices)
    if len(mapped) < len(slices) or len({mapping.unit for mapping in mapped}) > 1:
        _refuse_mixed(name, "real-world values of several units, or on some slices alone")
    note(
        "real_world_values",
        f"Expected a rescale in the MR of {name}, found real-world values alone: these were taken, in {mapped[0].unit or 'no unit'}.",
    )
    return [Scale(mapping.slope, mapping.intercept) for mapping in mapped]


def to_values(stored: NDArray[Any], data: Any, scale: Scale | None, *, name: str) -> NDArray[np.float32]:
    """Bring one slice's stored numbers to values.

    Args:
        stored: As decoded.
        data: Its data set.
        scale: From `scales_of`.
        name: What to call the study in messages.

    Returns:
        The values. MONOCHROME1 says how to show values, not what they are (PS3.3 C.7.6.3.1.2).

    Raises:
        DicomError: `missing_rescale` for a lookup table without a unit.
    """
    if scale is None:
        return _looked_up(stored, data, name)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused by name afterwards
        return np.asarray(stored.astype(np.float64) * scale.slope + scale.intercept, dtype=np.float32)


def _looked_up(stored: NDArray[Any], data: Any, name: str) -> NDArray[np.float32]:
    """Take values from the modality lookup table, which stands in place of a rescale (PS3.3 C.11.1.1)."""
    kind = str(data.ModalityLUTSequence[0].get("ModalityLUTType") or "")
    if (str(data.Modality), kind) != ("CT", "HU") and str(data.Modality) != "MR":
        _refuse(
            "missing_rescale",
            f"Expected a modality lookup table of HU in {name}, found one of {kind or 'no type'}: its unit is unknown.",
        )
    return np.asarray(apply_modality_lut(stored, data), dtype=np.float32)


def _refuse_mixed(name: str, found: str) -> NoReturn:
    _refuse("mixed_units", f"Expected values of one kind on all slices of {name}, found {found}. Separate the series.")


def _refuse(reason: str, message: str) -> NoReturn:
    raise DicomError(message, reason=reason)
