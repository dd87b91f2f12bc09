"""Real-world values: what stored numbers stand for, by a unit's code, beside or in place of a rescale.

They map stored values, not rescaled ones (PS3.3 C.7.6.16.2.11): each of the two is whole by itself.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from lesionflow.errors import DicomError


class Mapping(NamedTuple):
    """Value = slope x stored + intercept, in a unit by its UCUM code."""

    slope: float
    intercept: float
    unit: str


def mapping_of(items: Sequence[Any], units: Collection[str] | None, *, name: str) -> Mapping | None:
    """Return the one mapping of a frame or slice.

    Args:
        items: Of its real world value mapping sequence.
        units: Codes of the units that are wanted, the best first; None takes any.
        name: What to call the study in messages.

    Returns:
        The mapping; None without one in a unit that is wanted.

    Raises:
        DicomError: `ambiguous_real_world_values` when several differ; `unsupported_real_world_values` for lookup tables.
    """
    told = [(_unit(item), item) for item in items]
    for wanted in units if units is not None else (None,):
        found = [_mapping(unit, item, name) for unit, item in told if wanted in {None, unit}]
        if len(set(found)) > 1:
            raise DicomError(
                f"Expected one real-world value for each number stored in {name}, found {len(set(found))} mappings. Export the "
                "series with one.",
                reason="ambiguous_real_world_values",
            )
        if found:
            return found[0]
    return None


def _unit(item: Any) -> str:
    codes = item.get("MeasurementUnitsCodeSequence") or ()
    return str(codes[0].get("CodeValue") or "") if codes else ""


def _mapping(unit: str, item: Any, name: str) -> Mapping:
    slope = item.get("RealWorldValueSlope")
    if slope is None or not float(slope):
        raise DicomError(
            f"Expected a slope of real-world values in {name}, found {'a lookup table' if slope is None else 'zero'}. Export the "
            "series with a slope.",
            reason="unsupported_real_world_values",
        )
    return Mapping(float(slope), float(item.get("RealWorldValueIntercept") or 0.0), unit)
