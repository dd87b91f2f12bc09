import json

import pytest

from lesionflow.cohort.nnunet_splits import from_nnunet, to_nnunet
from lesionflow.cohort.splitting import SplitCase, SplitRules, make_split
from lesionflow.errors import ConfigError

CASES = [SplitCase(f"c{n}{k}", f"p{n}", float(n), f"{n}{k}") for n in range(9) for k in "ab"[: 1 + n % 2]]
RULES = SplitRules(seed=3, test_fraction=0.25, n_folds=3, fold=1, n_volume_strata=2)
SPLIT = make_split(CASES, RULES)


def _take(content, previous=None, cases=CASES, n_folds=3):
    return from_nnunet(content, cases, seed=3, fold=1, n_folds=n_folds, previous=previous)


def test_there_and_back_is_the_same_split():
    content = json.loads(json.dumps(to_nnunet(SPLIT)))
    assert [set(fold) for fold in content] == [{"train", "val"}] * 3
    assert _take(content) == SPLIT
    assert _take(content, previous=SPLIT) == SPLIT


def test_what_was_taken_over_is_honored_by_the_next_split():
    content = to_nnunet(SPLIT)
    content[0]["val"], content[1]["val"] = content[1]["val"], content[0]["val"]
    content[0]["train"], content[1]["train"] = content[1]["train"], content[0]["train"]
    taken = _take(content)
    assert taken.folds[0] == SPLIT.folds[1]
    assert make_split(CASES, RULES, previous=taken) == taken


def _swap_in(content):
    content[0]["train"].append(SPLIT.test[0])
    content[1]["train"].append(SPLIT.test[0])
    content[2]["val"].append(SPLIT.test[0])


def _part(content):
    """Move one of a patient's two cases to the other side."""
    fold = next(f for f in content if any(c.endswith("b") for c in f["val"]))
    case = next(c for c in fold["val"] if c.endswith("b"))
    fold["val"].remove(case)
    fold["train"].append(case)
    other = next(f for f in content if f is not fold)
    other["train"].remove(case)
    other["val"].append(case)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda c: c.pop(), "found 2"),
        (lambda c: c[0]["train"].append("stranger"), "are not in it: stranger"),
        (lambda c: c[0].pop("val"), "`train` and `val`"),
        (lambda c: c[1]["val"].extend(c[0]["val"]), "found:|none or in several"),
        (_part, "are of patients on both"),
        (_swap_in, "are locked|patients in both"),
        (lambda c: [f[k].remove(x) for x in [c[0]["val"][0]] for f in c for k in f if x in f[k]], "outside it|in both"),
    ],
)
def test_each_fault_is_refused_by_name(harm, words):
    content = json.loads(json.dumps(to_nnunet(SPLIT)))
    harm(content)
    with pytest.raises(ConfigError, match=words):
        _take(content, previous=SPLIT)
