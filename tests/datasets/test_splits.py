from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import SettingError
from medloop.datasets.splits import SplitCase, assign_splits

SHARES = {"validation": 0.1, "test": 0.15, "audit": 0.1}
SPLITS = st.sampled_from([None, None, None, "train", "validation", "test", "audit"])
POOLS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["", "x", "y"]), st.booleans(), SPLITS), max_size=60).map(
    lambda rows: [SplitCase(f"c{n}", f"p{p}", s, labelled, split) for n, (p, s, labelled, split) in enumerate(rows)]
)


def people(count: int, *, stratum: str = "", labelled: bool = True, start: int = 0) -> list[SplitCase]:
    return [SplitCase(f"c{stratum}{n}", f"p{stratum}{n}", stratum, labelled) for n in range(start, start + count)]


@given(pool=POOLS, seed=st.integers(0, 5))
def test_cases_of_a_patient_stay_together(pool: list[SplitCase], seed: int):
    splits = assign_splits(pool, **SHARES, seed=seed)
    by_patient: dict[str, set[str]] = {}
    for case in pool:
        by_patient.setdefault(case.patient, set()).add(splits[case.name])
    assert all(len(found) == 1 for found in by_patient.values())
    assert set(splits) == {case.name for case in pool}


@given(pool=POOLS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_cases_changes_nothing(pool: list[SplitCase], order):
    shuffled = list(pool)
    order.shuffle(shuffled)
    assert assign_splits(pool, **SHARES, seed=3) == assign_splits(shuffled, **SHARES, seed=3)


@given(pool=POOLS)
def test_splits_of_the_source_are_kept_unless_they_tear_a_patient_apart(pool: list[SplitCase]):
    splits = assign_splits(pool, **SHARES, seed=0)
    for case in pool:
        given_splits = {c.split for c in pool if c.patient == case.patient and c.split}
        if case.split and given_splits == {case.split}:
            assert splits[case.name] == case.split


@given(pool=POOLS)
def test_patients_without_answers_only_train_or_audit(pool: list[SplitCase]):
    free = [SplitCase(c.name, c.patient, c.stratum, False) for c in pool]
    assert set(assign_splits(free, **SHARES, seed=0).values()) <= {"train", "audit"}


@given(labelled=st.integers(5, 60), unlabelled=st.integers(5, 60), seed=st.integers(0, 9))
def test_shares_are_met_and_never_empty(labelled: int, unlabelled: int, seed: int):
    pool = people(labelled) + people(unlabelled, labelled=False, start=1000)
    found = Counter(assign_splits(pool, **SHARES, seed=seed).values())
    for split, share, of in (("validation", 0.1, labelled), ("test", 0.15, labelled), ("audit", 0.1, unlabelled)):
        assert found[split] >= 1
        assert abs(found[split] - share * of) <= max(0.5, 1 - share * of)


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5), seed=st.integers(0, 9))
def test_every_stratum_gives_its_share_within_one_patient(sizes: list[int], seed: int):
    pool = [case for n, size in enumerate(sizes) for case in people(size, stratum="abcde"[n])]
    splits = assign_splits(pool, validation=0, test=0.25, audit=0, seed=seed)
    drawn = Counter(c.stratum for c in pool if splits[c.name] == "test")
    total = sum(drawn.values())
    for n, size in enumerate(sizes):
        assert abs(drawn["abcde"[n]] - total * size / sum(sizes)) < 1


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_somebody_always_stays_for_training(count: int):
    splits = assign_splits(people(count), validation=0.45, test=0.5, audit=0, seed=0)
    assert count == 0 or "train" in splits.values()


def test_one_seed_draws_one_way_and_another_seed_another():
    pool = people(40)
    first, again, other = (assign_splits(pool, **SHARES, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_split_that_the_source_gives_is_not_drawn_again():
    pool = [*people(16), *(SplitCase(f"t{n}", f"t{n}", split="test") for n in range(4))]
    splits = assign_splits(pool, validation=0.1, test=0.2, audit=0, seed=0)
    assert Counter(splits.values()) == {"train": 14, "validation": 2, "test": 4}


def test_a_patient_in_two_splits_of_the_source_goes_to_the_protected_one():
    pair = [SplitCase("a", "p", split="train"), SplitCase("b", "p", split="test")]
    assert set(assign_splits(pair, validation=0, test=0, audit=0, seed=0).values()) == {"test"}


def test_zero_shares_leave_all_for_training():
    assert set(assign_splits(people(20), validation=0, test=0, audit=0, seed=0).values()) == {"train"}


@pytest.mark.parametrize("shares", [(-0.1, 0, 0), (0.5, 0.5, 0), (0, 0, 1)])
def test_impossible_shares_are_refused(shares: tuple[float, float, float]):
    with pytest.raises(SettingError):
        assign_splits([], validation=shares[0], test=shares[1], audit=shares[2], seed=0)
