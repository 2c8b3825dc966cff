"""The library's face: every strategy on arrays, in one line."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import medloop.query
from medloop.core.errors import InputError, NotFoundError, SettingError, ShapeError
from medloop.query import from_classifier, picks, query
from medloop.query.strategies import BUILT_IN, strategy

RNG = np.random.default_rng(4)
SAMPLES = RNG.dirichlet(np.ones(3), size=(5, 40))
FEATURES = RNG.normal(size=(40, 6))
LABELLED = [0, 7, 39]
ELSEWHERE = {"foreground", "oracle_foreground", "minutes", "cost", "predicted_loss", "unlabelled", "adversarial_distance"}
USABLE = [s.name for s in BUILT_IN if "latent" not in s.needs]


@pytest.mark.parametrize("name", USABLE)
def test_every_strategy_picks_unlabelled_rows_once_and_again_the_same(name):
    further = {need: np.arange(1.0, 41.0) for need in strategy(name).needs & ELSEWHERE}

    def once():
        return query(name, proba=SAMPLES, features=FEATURES, labelled=LABELLED, scores=further, n=10, seed=3)

    found = once()
    assert len(found) == len(set(found.tolist())) == 10
    assert not set(found.tolist()) & set(LABELLED)
    assert found.max() < 40
    assert found.tolist() == once().tolist()


def test_the_rows_of_highest_entropy_come_first():
    mean = SAMPLES.mean(axis=0)
    by_hand = -(mean * np.log(mean)).sum(axis=1)
    by_hand[LABELLED] = -1
    assert query("entropy", proba=SAMPLES, labelled=LABELLED, n=5).tolist() == np.argsort(-by_hand)[:5].tolist()


def test_diversity_keeps_away_from_labelled_rows():
    far = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 0.0], [5.1, 0.0]])
    assert query("coreset", features=far, labelled=[0], n=1).tolist() == [3]
    assert query("coreset", features=far, labelled=[3], n=1).tolist() == [0]


@given(st.lists(st.integers(0, 39), unique=True, max_size=39), st.integers(0, 60))
def test_a_mask_says_the_same_as_indices(rows, count):
    mask = np.zeros(40, dtype=bool)
    mask[rows] = True
    by_rows = query("margin", proba=SAMPLES[0], labelled=rows, n=count)
    assert by_rows.tolist() == query("margin", proba=SAMPLES[0], labelled=mask, n=count).tolist()
    assert len(by_rows) == min(count, 40 - len(rows))


def test_lists_and_tensors_say_the_same_as_arrays():
    import torch

    wanted = query("bald", proba=SAMPLES, n=4).tolist()
    assert query("bald", proba=SAMPLES.tolist(), n=4).tolist() == wanted
    assert query("bald", proba=torch.tensor(SAMPLES, requires_grad=True), n=4).tolist() == wanted


def test_a_pick_says_why():
    first = picks("entropy", proba=SAMPLES, n=1)[0]
    assert first.score > 0
    assert "uncertain" in first.reason or "entropy" in first.reason


@pytest.mark.parametrize(
    ("name", "given", "error", "words"),
    [
        ("entropy", {"proba": SAMPLES * 3}, InputError, "softmax"),
        ("badge", {"proba": np.log(SAMPLES), "features": FEATURES}, InputError, "softmax"),
        ("cdal", {"proba": np.where(SAMPLES > 0.9, np.nan, SAMPLES)}, InputError, "NaN"),
        ("bald", {"proba": SAMPLES[0]}, InputError, r"samples, cases, classes"),
        ("badge", {"proba": SAMPLES}, InputError, "features="),
        ("badge", {"proba": SAMPLES, "features": FEATURES[:3]}, ShapeError, "proba 40, features 3"),
        ("coreset", {"features": np.full((4, 2), np.inf)}, InputError, "finite"),
        ("entropy", {"proba": SAMPLES, "labelled": [40]}, InputError, "row 40"),
        ("entropy", {"proba": SAMPLES, "labelled": [-1]}, InputError, "row -1"),
        ("entropy", {"proba": SAMPLES, "labelled": [0.5]}, ShapeError, "indices"),
        ("entropy", {"proba": SAMPLES, "labelled": [True, False]}, ShapeError, "mask"),
        ("entropy", {"proba": SAMPLES, "n": -1}, SettingError, "-1"),
        ("entropy", {"proba": [[0.5, 0.5], [1.0]]}, InputError, "equal length"),
        ("random", {}, InputError, "number of cases"),
        ("value-per-minute", {"proba": SAMPLES}, InputError, "minutes"),
        ("entropi", {"proba": SAMPLES}, NotFoundError, "entropy"),
    ],
)
def test_what_cannot_be_right_is_refused(name, given, error, words):
    with pytest.raises(error, match=words):
        query(name, **given)


def test_a_classifier_and_a_committee_become_probabilities():
    labels = np.arange(40) % 2
    members = [LogisticRegression(C=c).fit(FEATURES, labels) for c in (0.1, 10.0)]
    assert from_classifier(members[0])(FEATURES).shape == (40, 2)
    assert from_classifier(members)(FEATURES).shape == (2, 40, 2)
    assert query("vote-entropy", proba=from_classifier(members)(FEATURES), n=3).shape == (3,)
    with pytest.raises(InputError, match="predict_proba"):
        from_classifier(FEATURES)


def test_names_are_found_by_dir():
    assert {"query", "picks", "from_classifier"} <= set(dir(medloop.query))
    assert {"from_classifier", "from_torch"} <= set(dir(medloop))
    for name in medloop.query.__all__:  # a submodule of that name would take its place once it is imported
        assert find_spec(f"medloop.query.{name}") is None
    assert not [name for name in dir(medloop) if getattr(medloop, name) is None]
