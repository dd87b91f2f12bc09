"""Whether the attestations of the steps behind a bundle form a whole chain from the studies on, and where it breaks."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from lesionflow.io.attestations.statements import Attestation, read_statement

#: What comes from outside of the pipeline: no step makes it.
GIVEN_FROM_OUTSIDE = frozenset({"raw", "change_plan"})
#: What a chain must begin with.
FIRST = "raw"


class Chain(NamedTuple):
    """What was found: the steps in the order in which they are followed from their end, and each fault in a sentence."""

    steps: tuple[Attestation, ...]
    faults: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every step is attested and took what others made."""
        return not self.faults

    def in_words(self) -> str:
        """Return what people are told: which steps by whom, or where it breaks."""
        if self.faults:
            return "; ".join(self.faults)
        names = " <- ".join(_last_first(self.steps))
        signers = ", ".join(sorted({f"{step.key_id:.12}" for step in self.steps if step.key_id}))
        unsigned = [step.step for step in self.steps if not step.key_id]
        if not signers:
            return f"{names}, unsigned"
        return f"{names}, signed by {signers}{f' but for {len(unsigned)} steps' if unsigned else ''}"


def read_lines(lines: Iterable[str]) -> Iterator[Attestation | str]:
    """Read attestations: each, or what is wrong with it."""
    for line in lines:
        try:
            yield read_statement(line)
        except ValueError as error:
            yield f"Expected a step's attestation, found {error}"


def verify_chain(lines: Iterable[Attestation | str], wanted: Mapping[str, str], trusted: Collection[str] = ()) -> Chain:
    """Follow things back, step by step, to the studies.

    Args:
        lines: As `read_lines` gives them.
        wanted: sha256 by name of what is followed: a bundle, an evaluation.
        trusted: Ids of the keys whose signatures count; where there are any, steps that none of them signed are faults.

    Returns:
        The steps found on the way, and what breaks the way.
    """
    found = list(lines)
    attestations = [one for one in found if isinstance(one, Attestation)]
    faults = [one for one in found if isinstance(one, str)]
    seen: dict[int, Attestation] = {}
    taken: dict[str, dict[str, str]] = {}
    waiting = [("", name, sha256) for name, sha256 in sorted(wanted.items()) if name not in GIVEN_FROM_OUTSIDE]
    while waiting:
        taker, name, sha256 = waiting.pop(0)
        if sha256 in taken.setdefault(name, {}):
            continue
        taken[name][sha256] = taker
        makers = [one for one in attestations if one.subjects.get(name) == sha256]
        if not makers:
            faults.append(_missing(taker, name, sha256, attestations))
            continue
        # Of the same thing made several times, the one that was made of what the others took too.
        maker = min(
            makers, key=lambda one: sum(bool(taken.get(k)) and v not in taken[k] for k, v in one.materials.items())
        )
        if id(maker) not in seen:
            seen[id(maker)] = maker
            waiting += [
                (maker.step, key, value)
                for key, value in sorted(maker.materials.items())
                if key not in GIVEN_FROM_OUTSIDE
            ]
    faults += [_several(name, contents) for name, contents in taken.items() if len(contents) > 1 and not faults]
    steps = tuple(seen.values())
    if steps and not faults and not any(FIRST in step.materials for step in steps):
        faults.append("no step of the chain read studies")
    if trusted:
        faults += [_untrusted(step) for step in steps if step.key_id not in trusted]
    return Chain(steps, tuple(dict.fromkeys(faults)))


def _last_first(steps: Sequence[Attestation]) -> list[str]:
    """Return the names of steps, each before all that it took from."""
    makers = {(name, sha256): one.step for one in steps for name, sha256 in one.subjects.items()}
    takes: dict[str, list[str]] = {one.step: [] for one in steps}
    for one in steps:
        found = (makers.get(material) for material in sorted(one.materials.items()))
        takes[one.step] += [maker for maker in found if maker not in {None, one.step}]
    try:
        return list(TopologicalSorter(takes).static_order())[::-1]
    except CycleError:
        # Only who made statements up takes from what was made of it: told in the order in which they were found.
        return list(takes)


def _missing(taker: str, name: str, sha256: str, attestations: Iterable[Attestation]) -> str:
    others = [one for one in attestations if name in one.subjects]
    by = f" that {taker} took" if taker else ""
    if others:
        made = ", ".join(f"{one.subjects[name]:.12} by {one.step}" for one in others)
        return f"the {name}{by} ({sha256:.12}) is not what was made ({made}): it was altered in between"
    return f"no step attests the {name}{by} ({sha256:.12}): a step was left out, or its attestation is lost"


def _several(name: str, contents: Mapping[str, str]) -> str:
    told = ", ".join(f"{sha256:.12} by {taker or 'what is followed'}" for sha256, taker in contents.items())
    return f"not all steps took one and the same {name} ({told}): after a change of it a step was left out"


def _untrusted(step: Attestation) -> str:
    return f"{step.step} is {'signed by the key ' + step.key_id[:12] + ', which is not trusted here' if step.key_id else 'unsigned'}"
