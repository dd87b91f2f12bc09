import hashlib
from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lesionflow.cohort.splitting import SplitCase, SplitRules, digest_of_test_set, make_split
from lesionflow.data.split import Split
from lesionflow.errors import ArtifactError, ConfigError, InputError

RULES = SplitRules(seed=13, test_fraction=0.25, n_folds=4, fold=1, n_volume_strata=3)


def _sha(text):
    return hashlib.sha256(str(text).encode()).hexdigest()


def _cases(numbers, *, prefix="p", cases_each=lambda number: 1 + number % 2):
    """Patients by number; a number always has the same images and volume, whatever the pseudonyms."""
    return [
        SplitCase(f"{prefix}{n:03d}-c{i}", f"{prefix}{n:03d}", float((n * 37) % 101), _sha((n, i)))
        for n in numbers
        for i in range(cases_each(n))
    ]


def _numbers(ids):
    return sorted({int(case_id[1:4]) for case_id in ids})


def _patients(split, part):
    return {case_id[:4] for case_id in getattr(split, part)}


populations = st.sets(st.integers(0, 300), min_size=6, max_size=60)


@given(populations, st.integers(0, 5), st.sampled_from([0.1, 0.25, 0.4]), st.integers(1, 4))
def test_every_case_has_one_place_and_patients_stay_together(numbers, seed, fraction, strata):
    rules = SplitRules(seed=seed, test_fraction=fraction, n_folds=3, fold=0, n_volume_strata=strata)
    cases = _cases(numbers)
    split = make_split(cases, rules)
    everything = sorted(case.case_id for case in cases)
    assert sorted([*split.train, *split.validation, *split.test]) == everything
    for one, other in combinations(("train", "validation", "test"), 2):
        assert not _patients(split, one) & _patients(split, other)
    validated = [case_id for fold in split.folds for case_id in fold.validation]
    assert sorted([*validated, *split.test]) == everything
    assert all(fold.train and fold.validation for fold in split.folds)
    assert 1 <= len(split.test_patients) == min(max(int(fraction * len(numbers) + 0.5), 1), len(numbers) - 3)
    sizes = [len({c[:4] for c in fold.validation}) for fold in split.folds]
    assert max(sizes) - min(sizes) <= strata


@given(populations, st.sets(st.integers(0, 300), max_size=60), st.data())
def test_nobody_ever_crosses_the_lock(first, added, data):
    old = make_split(_cases(first), RULES)
    gone = data.draw(st.sets(st.sampled_from(sorted(first)), max_size=len(first) - 1))
    present = (first - gone) | added
    assume(len(present) > RULES.n_folds)
    assume(len(present - set(_numbers(old.test))) >= RULES.n_folds)
    assume(present & first)
    new = make_split(_cases(present), RULES, previous=old)
    assert set(old.test_patients) <= set(new.test_patients)
    assert set(old.other_patients) <= set(new.other_patients)
    assert not set(new.test_patients) & set(new.other_patients)
    back = make_split(_cases(first | added), RULES, previous=new)
    assert set(old.other_patients).isdisjoint(back.test_patients), "who left and came back is where they were"
    assert set(old.test_patients) <= set(back.test_patients)


@given(populations)
def test_the_same_data_and_lock_give_the_same_split(numbers):
    split = make_split(_cases(numbers), RULES)
    assert make_split(_cases(sorted(numbers, reverse=True)), RULES, previous=split) == split
    assert Split.model_validate_json(split.model_dump_json()) == split


@given(populations)
def test_pseudonyms_do_not_matter(numbers):
    one, other = make_split(_cases(numbers), RULES), make_split(_cases(numbers, prefix="x"), RULES)
    assert _numbers(one.test) == _numbers(other.test)
    assert [_numbers(fold.validation) for fold in one.folds] == [_numbers(fold.validation) for fold in other.folds]


def test_new_patients_bring_the_test_set_to_its_fraction_and_keep_the_folds():
    old = make_split(_cases(range(40)), RULES)
    new = make_split(_cases(range(80)), RULES, previous=old)
    assert (len(old.test_patients), len(new.test_patients)) == (10, 20)
    for before, after in zip(old.folds, new.folds, strict=True):
        assert set(before.validation) <= set(after.validation)


def test_strata_share_the_test_set():
    # Volumes fall into three clear groups of 8 patients; a quarter of each is 2.
    cases = [SplitCase(f"c{n}", f"p{n}", 10.0 ** (n // 8) + n / 100, _sha(n)) for n in range(24)]
    for seed in range(10):
        rules = SplitRules(seed=seed, test_fraction=0.25, n_folds=3, fold=0, n_volume_strata=3)
        split = make_split(cases, rules)
        assert sorted(int(name[1:]) // 8 for name in split.test_patients) == [0, 0, 1, 1, 2, 2]
        for fold in split.folds:
            assert sorted(int(name[1:]) // 8 for name in fold.validation) == [0, 0, 1, 1, 2, 2]


def test_another_seed_draws_others_but_not_against_the_lock():
    reseeded = SplitRules(seed=14, test_fraction=0.25, n_folds=4, fold=1, n_volume_strata=3)
    old = make_split(_cases(range(40)), RULES)
    assert make_split(_cases(range(40)), reseeded).test != old.test
    assert make_split(_cases(range(40)), reseeded, previous=old).test == old.test


def test_another_number_of_folds_starts_them_anew():
    old = make_split(_cases(range(40)), RULES)
    fewer = SplitRules(seed=13, test_fraction=0.25, n_folds=2, fold=0, n_volume_strata=3)
    new = make_split(_cases(range(40)), fewer, previous=old)
    assert new.test == old.test
    assert len(new.folds) == 2
    assert abs(len(_numbers(new.train)) - len(_numbers(new.validation))) <= 2


def test_a_fold_whose_patients_left_is_filled_again():
    old = make_split(_cases(range(20)), RULES)
    gone = set(_numbers(old.folds[2].validation))
    new = make_split(_cases(set(range(20)) - gone), RULES, previous=old)
    assert all(fold.validation for fold in new.folds)


def test_unknown_volumes_count_as_none():
    cases = [SplitCase(f"c{n}", f"p{n}", float("nan"), _sha(n)) for n in range(8)]
    assert len(make_split(cases, RULES).test) == 2


def test_a_zero_fraction_tests_nobody():
    none = SplitRules(seed=1, test_fraction=0.0, n_folds=2, fold=0, n_volume_strata=1)
    assert make_split(_cases(range(2)), none).test == ()


@pytest.mark.parametrize("n_patients", [0, 1, 4])
def test_too_few_patients_are_refused_with_what_to_do(n_patients):
    with pytest.raises(InputError, match=r"split\.n_folds") as caught:
        make_split(_cases(range(n_patients)), RULES)
    assert caught.value.reason == "too_few_patients"


def test_as_many_patients_as_needed_are_enough():
    split = make_split(_cases(range(5)), RULES)
    assert [len(_numbers(fold.validation)) for fold in split.folds] == [1, 1, 1, 1]


def test_the_fold_must_exist():
    with pytest.raises(ConfigError, match=r"split\.fold below split\.n_folds = 4, found 4"):
        make_split(_cases(range(9)), SplitRules(13, 0.25, 4, 4, 3))


def test_a_lock_of_other_pseudonyms_is_refused_not_ignored():
    with pytest.raises(ConfigError, match="another key"):
        make_split(_cases(range(20)), RULES, previous=make_split(_cases(range(20), prefix="x"), RULES))


def test_a_hundred_thousand_patients_are_split():
    cases = [SplitCase(f"c{n}", f"p{n}", float(n % 1009), _sha(n)) for n in range(100_000)]
    assert len(make_split(cases, RULES).test) == 25_000


def test_the_digest_of_a_test_set_sees_its_cases_images_and_outlines_alone():
    split = make_split(_cases(range(9)), RULES)
    one, other = split.test[0], split.train[0]
    hashes = {case_id: (f"i-{case_id}", f"m-{case_id}") for case_id in (*split.train, *split.validation, *split.test)}
    digest = digest_of_test_set(split, hashes)
    assert digest_of_test_set(split, {**hashes, other: ("new", "new")}) == digest
    assert digest_of_test_set(split, {**hashes, one: ("new", f"m-{one}")}) != digest
    assert digest_of_test_set(split, {**hashes, one: (f"i-{one}", "new")}) != digest
    assert digest_of_test_set(split.model_copy(update={"test": split.test[1:]}), hashes) != digest
    with pytest.raises(ArtifactError, match=one):
        digest_of_test_set(split, {name: value for name, value in hashes.items() if name != one})


def _twins(pairs, numbers, prefix="p"):
    """Cases of patients; each pair of numbers shares a group of near-duplicates."""
    group = {number: str(i) for i, pair in enumerate(pairs) for number in pair}
    return [case._replace(twins=group.get(int(case.patient_id[1:]), "")) for case in _cases(numbers, prefix=prefix)]


@given(populations, st.integers(0, 9), st.data())
def test_near_duplicates_are_never_parted(numbers, seed, data):
    a, b, c, d = data.draw(st.lists(st.sampled_from(sorted(numbers)), min_size=4, max_size=4, unique=True))
    pairs = [(a, b), (c, d)]
    rules = SplitRules(seed=seed, test_fraction=0.25, n_folds=2, fold=0, n_volume_strata=2)
    split = make_split(_twins(pairs, numbers), rules)
    for pair in pairs:
        for part in (split.test, *(fold.validation for fold in split.folds)):
            assert len({number in _numbers(part) for number in pair}) == 1


def test_a_new_twin_of_a_test_patient_joins_the_test_set():
    old = make_split(_cases(range(20)), RULES)
    tested, trained = _numbers(old.test)[0], _numbers(old.train)[0]
    new = make_split(_twins([(tested, 500), (trained, 501)], [*range(20), 500, 501]), RULES, previous=old)
    assert "p500" in new.test_patients
    assert "p501" in new.other_patients
    fold = next(fold for fold in new.folds if f"p{trained:03d}" in {c[:4] for c in fold.validation})
    assert "p501" in {c[:4] for c in fold.validation}


def test_twins_that_the_lock_parted_stay_and_a_third_is_not_tested_on():
    old = make_split(_cases(range(20)), RULES)
    tested, trained = _numbers(old.test)[0], _numbers(old.train)[0]
    new = make_split(_twins([(tested, trained, 500)], [*range(20), 500]), RULES, previous=old)
    assert set(old.test_patients) == set(new.test_patients)
    assert "p500" in new.other_patients


def test_sites_and_scanners_share_the_parts():
    # 8 patients of each of 3 sites; in each, half from either maker; volumes in no relation to these.
    cases = [
        SplitCase(f"c{n}", f"p{n}", float((n * 7) % 24), _sha(n), (f"s-{n % 3}", ("A", "B")[n // 3 % 2], "CT"))
        for n in range(24)
    ]
    for seed in range(12):
        rules = SplitRules(seed=seed, test_fraction=0.25, n_folds=3, fold=0, n_volume_strata=2)
        split = make_split(cases, rules)
        numbers = [int(name[1:]) for name in split.test_patients]
        assert sorted(n % 3 for n in numbers) == [0, 0, 1, 1, 2, 2], seed
        assert sorted(n // 3 % 2 for n in numbers) == [0, 0, 0, 1, 1, 1], seed
        for fold in split.folds:
            sites = [int(c[1:]) % 3 for c in fold.validation]
            assert all(sites.count(site) in (1, 2, 3) for site in range(3)), seed


def test_names_of_sites_do_not_matter():
    def make(names):
        cases = [SplitCase(f"c{n}", f"p{n}", float(n % 7), _sha(n), (names[n % 3],)) for n in range(24)]
        return make_split(cases, RULES).test

    assert make(["s-a", "s-b", "s-c"]) == make(["s-z", "s-b", "s-a"])


def _renamed(cases, names):
    return [case._replace(patient_id=names.get(case.patient_id, case.patient_id)) for case in cases]


def test_the_lock_holds_patients_who_are_called_otherwise_now():
    """A rule of names was mended: each patient has another pseudonym, each case its own as before."""
    cases = _cases(range(24))
    old = make_split(cases, RULES)
    new = make_split(_renamed(cases, {case.patient_id: f"x{case.patient_id}" for case in cases}), RULES, previous=old)
    assert (new.test, new.folds) == (old.test, old.folds)
    assert {f"x{name}" for name in old.test_patients} <= set(new.test_patients)


def test_a_patient_joined_of_one_trained_on_and_one_tested_on_is_not_tested_on():
    cases = _cases(range(24))
    old = make_split(cases, RULES)
    tested, trained = old.test_patients[0], old.other_patients[0]
    for joined in (tested, trained, "p999"):
        new = make_split(_renamed(cases, {tested: joined, trained: joined}), RULES, previous=old)
        assert joined in new.other_patients
        assert not {case.case_id for case in cases if case.patient_id in (tested, trained)} & set(new.test)
        assert set(old.test_patients) - {tested} <= set(new.test_patients)


def _plain(n, **values):
    return SplitCase(f"c{n:02d}", f"p{n:02d}", values.pop("tumor_ml", 1.0), _sha(n), *values.values())


def test_the_order_of_drawing_is_that_of_a_hash_of_seed_and_images():
    """By hashlib alone: were it another order, every split that is drawn anew would be another one."""
    rules = SplitRules(seed=5, test_fraction=0.25, n_folds=2, fold=0, n_volume_strata=1)
    drawn = sorted(range(12), key=lambda n: hashlib.sha256(f"5\n{_sha(n)}".encode()).hexdigest())
    assert make_split([_plain(n) for n in range(12)], rules).test_patients == tuple(
        sorted(f"p{n:02d}" for n in drawn[-3:])
    )


def test_a_zero_fraction_tests_nobody_of_many():
    none = SplitRules(seed=1, test_fraction=0.0, n_folds=2, fold=0, n_volume_strata=1)
    split = make_split(_cases(range(9)), none)
    assert split.test == ()
    assert len(split.other_patients) == 9


def test_a_patient_a_fold_is_left_whatever_the_fraction_asks_for():
    greedy = SplitRules(seed=1, test_fraction=0.9, n_folds=3, fold=0, n_volume_strata=1)
    split = make_split(_cases(range(5)), greedy)
    assert (len(split.test_patients), len(split.other_patients)) == (2, 3)


def test_the_test_set_has_each_sites_share():
    """A quarter of 12 and of 4 are 3 and 1."""
    rules = SplitRules(seed=0, test_fraction=0.25, n_folds=3, fold=0, n_volume_strata=1)
    for start in range(0, 80, 16):
        cases = [_plain(start + n, traits=("large" if n % 4 else "small",)) for n in range(16)]
        split = make_split(cases, rules)
        assert sorted((int(name[1:]) - start) % 4 > 0 for name in split.test_patients) == [False, True, True, True]


def test_who_is_tested_on_already_counts_for_the_share_of_the_stratum():
    """Of 12 and 8 patients 3 and 2 are a quarter; two of site A are tested on already, so that one of A and two of B are new."""
    rules = SplitRules(seed=3, test_fraction=0.25, n_folds=2, fold=0, n_volume_strata=1)
    first = [_plain(n, traits=("A",)) for n in range(8)]
    old = make_split(first, rules)
    assert len(old.test_patients) == 2
    added = [_plain(n, traits=("A" if n < 12 else "B",)) for n in range(8, 20)]
    new = make_split([*first, *added], rules, previous=old)
    drawn = sorted(int(name[1:]) for name in {*new.test_patients} - {*old.test_patients})
    assert [n >= 12 for n in drawn] == [False, True, True]


def test_folds_are_even_where_no_two_patients_are_of_one_stratum():
    rules = SplitRules(seed=3, test_fraction=0.0, n_folds=3, fold=0, n_volume_strata=9)
    split = make_split([_plain(n, tumor_ml=float(n)) for n in range(9)], rules)
    assert [len(fold.validation) for fold in split.folds] == [3, 3, 3]
    twins = [
        case._replace(twins="one" if n < 4 else "")
        for n, case in enumerate(_plain(n, tumor_ml=float(n)) for n in range(8))
    ]
    assert sorted(len(fold.validation) for fold in make_split(twins, rules).folds) == [2, 2, 4]


def test_an_empty_fold_takes_the_last_drawn_patient_of_the_largest():
    rules = SplitRules(seed=3, test_fraction=0.0, n_folds=3, fold=0, n_volume_strata=1)
    old = make_split([_plain(n) for n in range(12)], rules)
    leave = {*old.folds[2].validation, *old.folds[0].validation[:2]}
    new = make_split([case for case in map(_plain, range(12)) if case.case_id not in leave], rules, previous=old)
    largest = sorted(
        old.folds[1].validation, key=lambda c: hashlib.sha256(f"3\n{_sha(int(c[1:]))}".encode()).hexdigest()
    )
    assert new.folds[2].validation == (largest[-1],)
    assert new.folds[1].validation == tuple(sorted(largest[:-1]))
    assert new.folds[0].validation == tuple(old.folds[0].validation[2:])


def test_in_which_order_cases_come_does_not_matter_to_sites():
    rules = SplitRules(seed=7, test_fraction=0.3, n_folds=3, fold=0, n_volume_strata=1)
    cases = [_plain(n, traits=(f"s{n * n % 5}", f"m{n % 3}")) for n in range(20)]
    assert make_split(cases[::-1], rules) == make_split(cases, rules)


def test_a_new_twin_joins_even_where_the_test_set_is_full():
    """The test set has its fraction already: who joins it does so as a twin, not by lot."""
    rules = SplitRules(seed=13, test_fraction=0.25, n_folds=4, fold=1, n_volume_strata=1)
    old = make_split(_cases(range(20)), rules)
    fewer = SplitRules(seed=13, test_fraction=0.1, n_folds=4, fold=1, n_volume_strata=1)
    new = make_split(_twins([(_numbers(old.test)[0], 500)], [*range(20), 500, 501]), fewer, previous=old)
    assert set(new.test_patients) == {*old.test_patients, "p500"}


def test_a_volume_that_is_unknown_ranks_as_none():
    """With those of 0.2 ml in the smaller half, not above those of 0.5 ml."""
    volumes = [float("nan"), 0.5, 0.2, 0.5] * 4
    told = [_plain(n, tumor_ml=volume) for n, volume in enumerate(volumes)]
    as_none = [_plain(n, tumor_ml=0.0 if n % 4 == 0 else volume) for n, volume in enumerate(volumes)]
    for seed in range(5):
        rules = SplitRules(seed=seed, test_fraction=0.5, n_folds=2, fold=0, n_volume_strata=2)
        assert make_split(told, rules) == make_split(as_none, rules)
        assert sorted(int(name[1:]) % 2 for name in make_split(told, rules).test_patients) == [0] * 4 + [1] * 4


def test_how_many_patients_there_are_is_told():
    old = make_split(_cases(range(12)), RULES)
    left = [*_numbers(old.test)[:1], *_numbers(old.train)[:2]]
    told = "at least 4 patients outside the test set, one a fold, and one to test on; found 2 outside it and 1 in it"
    with pytest.raises(InputError, match=told):
        make_split(_cases(left), RULES, previous=old)
    with pytest.raises(InputError, match="one a fold; found 3 outside it and 0 in it"):
        make_split(_cases(range(3)), SplitRules(13, 0.0, 4, 1, 1))


def test_the_digest_is_the_sha256_of_sorted_lines():
    split = make_split(_cases(range(20)), RULES)
    hashes = {case.case_id: (case.image_sha256, _sha(case.case_id)) for case in _cases(range(20))}
    lines = sorted(f"{case_id} {_sha((int(case_id[1:4]), int(case_id[-1])))} {_sha(case_id)}" for case_id in split.test)
    assert digest_of_test_set(split, hashes) == hashlib.sha256("\n".join(lines).encode()).hexdigest()
