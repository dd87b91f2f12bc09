"""Structures that a dataset declares, some as unions of values (nnU-Net's regions): which value is which label, by names alone.

A value belongs to every structure that is declared to hold it. It takes the label of the narrowest of them that the rules know;
where both sides speak of the same regions, it takes the label that lies in the same ones, which is their subtraction:
what is in the whole tumor and not in its core is edema, whatever its number.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from lesionflow.data.dataset import IGNORE
from lesionflow.data.volume import IGNORED
from lesionflow.errors import InputError
from lesionflow.io import spelling
from lesionflow.io.notes import note
from lesionflow.io.rules import ReadingRules

Declared = Mapping[str, Sequence[int]]


def narrowest(value: int, declared: Declared) -> list[str]:
    """Return the names of the structures that hold a value, that of fewest values first."""
    return sorted((name for name, values in declared.items() if value in values), key=lambda n: len(set(declared[n])))


def label_of_values(declared: Declared, rules: ReadingRules, *, name: str) -> dict[int, int | None]:
    """Give each declared value its label.

    Args:
        declared: Values by structure name; several values are a region.
        rules: Labels, regions and outlines.
        name: What to call the case in messages.

    Returns:
        A label of the rules, `IGNORED`, or None where no rule takes the value, by value.

    Raises:
        InputError: `ambiguous_region` when names or regions contradict one another.
    """
    names_of = {value: narrowest(value, declared) for held in declared.values() for value in held}
    plain = {v: [n for n in around if len(set(declared[n])) == 1] for v, around in names_of.items()}
    found = {value: _by_own_names(structures, rules, name) for value, structures in plain.items()}
    shared = _shared_regions(declared, rules)
    inside = {value: frozenset(shared[n] for n in around if n in shared) for value, around in names_of.items()}
    for value, around in sorted(names_of.items()):
        if found[value] is None and len(around) > len(plain[value]):
            if inside[value] and not rules.is_unwanted(around[0]):
                taken = {label for label in found.values() if label is not None}
                open_values = [v for v in names_of if found[v] is None and inside[v] == inside[value]]
                fitting = _fitting(inside[value], set(shared.values()), taken, rules)
                found[value] = _by_regions(value, around[0], fitting, open_values, rules, name)
            else:
                found[value] = _by_name(around, rules, declared, name)
    return {value: found[value] for value in sorted(names_of)}


def _by_own_names(structures: list[str], rules: ReadingRules, name: str) -> int | None:
    """Return the label that the structures of one value alone are called by."""
    ignored = {s for s in structures if spelling.key(s) == IGNORE and IGNORE not in rules.labels}
    found = {IGNORED if s in ignored else rules.named(s) for s in structures} - {None}
    if len(found) > 1:
        _refuse(
            f"Expected one meaning of each value in the declaration of {name}, found {', '.join(structures)} for one. Mend it."
        )
    return next(iter(found), None)


def _shared_regions(declared: Declared, rules: ReadingRules) -> dict[str, str]:
    """Return by structure the region of the rules that it is: called alike, or the one label that it is called by."""
    shared: dict[str, str] = {}
    for structure, values in declared.items():
        called = [region for region in rules.regions if spelling.same(region, structure)]
        label = rules.named(structure) if len(set(values)) == 1 else None
        alone = [region for region, labels in rules.regions.items() if set(labels) == {label}]
        if len(called or alone) == 1:
            shared[structure] = (called or alone)[0]
    return shared if any(len(set(declared[structure])) > 1 for structure in shared) else {}


def _fitting(inside: frozenset[str], shared: set[str], taken: set[int], rules: ReadingRules) -> list[int]:
    """Return the labels that lie in the same of the shared regions, without those that other values are called by."""
    fitting = [v for v in rules.labels.values() if {r for r in shared if v in rules.regions[r]} == inside]
    return [label for label in fitting if label not in taken] or fitting


def _by_regions(
    value: int, narrowest_name: str, fitting: list[int], open_values: list[int], rules: ReadingRules, name: str
) -> int:
    """Return the label of a value, of those that lie in the same regions as it does."""
    by_name = rules.named(narrowest_name)
    if by_name in fitting:
        return by_name
    alike = len({_membership(label, rules) for label in fitting}) == 1
    if not alike or (len(fitting) > 1 and len(open_values) > 1):
        _refuse(
            f"Expected one label of ingest.labels for the value {value} of {name}, the rest of {narrowest_name}; found "
            f"{_called(fitting, rules) or 'none'}. Name the labels in dataset.json, or say in ingest.outlines which label "
            f"{narrowest_name} is, its narrower parts apart."
        )
    if len(fitting) > 1:
        note(
            "one_label_of_region",
            f"{name}: the value {value} is the rest of {narrowest_name}, as {_called(fitting, rules)} are; no region tells "
            f"these apart, so it was taken for {_called(fitting[:1], rules)}.",
        )
    return fitting[0]


def _by_name(around: list[str], rules: ReadingRules, declared: Declared, name: str) -> int | None:
    known: list[tuple[str, int]] = []
    for structure in around:
        if rules.is_unwanted(structure):
            break
        if (label := rules.named(structure)) is not None:
            known.append((structure, label))
    for structure, label in known[1:]:
        if label != known[0][1] and not set(declared[known[0][0]]) < set(declared[structure]):
            _refuse(
                f"Expected structures that lie within one another in the declaration of {name}, found that {structure} and "
                f"{known[0][0]} overlap: which of them a voxel is can't be told. Declare single labels."
            )
    return known[0][1] if known else None


def _membership(label: int, rules: ReadingRules) -> frozenset[str]:
    return frozenset(region for region, labels in rules.regions.items() if label in labels)


def _called(labels: Iterable[int], rules: ReadingRules) -> str:
    return ", ".join(called for called, label in rules.labels.items() if label in labels)


def _refuse(message: str) -> NoReturn:
    raise InputError(message, reason="ambiguous_region")
