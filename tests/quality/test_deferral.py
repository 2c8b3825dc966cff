import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.quality.deferral import control_risk, fewest_patients, fit_deferral, select_by_share


def test_the_threshold_by_hand():
    scores, bad = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], [1, 1, 1, 0, 1, 0, 0, 0, 0]
    found = control_risk(scores, bad, risk=0.2)  # (1 accepted bad + 1) / 10
    assert (found.above, found.bound, found.patients) == (0.3, pytest.approx(0.2), 9)
    assert (found.coverage, found.accepted_loss) == (pytest.approx(6 / 9), pytest.approx(1 / 6))
    assert control_risk(scores, bad, risk=0.1).above == 0.5
    assert found.accepts([0.3, 0.31]).tolist() == [False, True]


def test_without_losses_everything_is_accepted():
    assert control_risk([0.5] * 9, [0] * 9, risk=0.1).above == -math.inf


@pytest.mark.parametrize(("risk", "patients"), [(0.5, 5), (0.1, 9), (0.05, 19), (0.3, 5)])
def test_too_few_patients_are_refused_in_one_line(risk, patients):
    assert fewest_patients(risk) == patients
    control_risk(np.arange(patients), np.ones(patients), risk=risk)
    with pytest.raises(InputError, match=rf"at least {patients} evaluated patients, got {patients - 1}; annotate more"):
        control_risk(np.arange(patients - 1), np.ones(patients - 1), risk=risk)


def test_cases_of_one_patient_count_once():
    with pytest.raises(InputError, match="got 3"):
        control_risk(np.arange(30), np.zeros(30), risk=0.1, patients=[n % 3 for n in range(30)])


@given(st.integers(0, 300), st.floats(0.1, 0.9))
def test_the_bound_holds_on_the_calibration_cases_and_no_lower_threshold_would_do(seed, risk):
    rng = np.random.default_rng(seed)
    scores, losses = rng.integers(0, 8, 20) / 8, rng.random(20)
    found = control_risk(scores, losses, risk=risk)
    assert found.bound <= risk + 1e-9
    lower = [-math.inf, *(s for s in np.unique(scores) if s < found.above)]
    if found.above > -math.inf:
        assert all((losses[scores > at].sum() + 1) / 21 > risk for at in lower)


@pytest.mark.parametrize("informative", [True, False])
@pytest.mark.parametrize(("patients", "risk"), [(12, 0.1), (40, 0.1), (40, 0.25)])
def test_a_new_exchangeable_patient_keeps_the_risk(informative, patients, risk):
    rng = np.random.default_rng(patients)
    losses = []
    for _ in range(1500):
        truth = rng.beta(6, 2, patients + 1)
        scores = truth + 0.1 * rng.normal(size=patients + 1) if informative else rng.random(patients + 1)
        bad = (truth < 0.7).astype(float)
        found = control_risk(scores[:-1], bad[:-1], risk=risk)
        losses.append(bad[-1] * found.accepts(scores[-1:])[0])
    assert np.mean(losses) <= risk + 3 * math.sqrt(risk * (1 - risk) / 1500)
    assert np.mean(losses) >= risk - 2.0 / (patients + 1) - 0.03 or not np.mean(losses)


def test_patients_with_many_cases_keep_the_risk_too():
    rng = np.random.default_rng(3)
    losses = []
    for _ in range(800):
        skill = rng.beta(6, 2, 16)
        truth = np.clip(skill[:, None] + 0.05 * rng.normal(size=(16, 4)), 0, 1)
        scores, bad = truth + 0.1 * rng.normal(size=(16, 4)), (truth < 0.7).astype(float)
        found = control_risk(scores[:15].ravel(), bad[:15].ravel(), risk=0.2, patients=np.repeat(np.arange(15), 4).tolist())
        losses.append(np.mean(bad[15] * found.accepts(scores[15])))
    assert np.mean(losses) <= 0.2 + 3 * np.std(losses) / math.sqrt(800)


def test_bad_cases_go_to_two_people_doubtful_ones_to_one():
    truth = np.concatenate([np.linspace(0.1, 0.4, 10), np.linspace(0.55, 0.65, 10), np.linspace(0.8, 0.95, 30)])
    deferral = fit_deferral(truth, truth, risk=0.1, good=0.7, hard=0.5)
    assert deferral.decide([0.05, 0.6, 0.99]) == ["second expert", "review", "accept"]


@given(st.integers(0, 200), st.floats(0.05, 0.6), st.floats(0, 1), st.floats(0, 1))
def test_nobody_is_accepted_who_needs_two_people(seed, risk, a, b):
    rng = np.random.default_rng(seed)
    deferral = fit_deferral(rng.random(25), rng.random(25), risk=risk, good=max(a, b), hard=min(a, b))
    assert deferral.second.above <= deferral.accept.above


def test_the_share_of_bad_among_the_accepted_is_kept_over_pools():
    rng = np.random.default_rng(5)
    shares, accepted = [], 0
    for _ in range(600):
        truth = rng.beta(5, 3, 70)
        scores, bad = truth + 0.08 * rng.normal(size=70), truth < 0.6
        chosen = select_by_share(scores[:40], bad[:40], scores[40:], share=0.2)
        shares.append(bad[40:][chosen].mean() if chosen.any() else 0.0)
        accepted += chosen.sum()
    assert np.mean(shares) <= 0.2 + 3 * np.std(shares) / math.sqrt(600)
    assert accepted > 600 * 5


def test_selection_by_hand():
    scores, bad = np.arange(1, 10) / 10, [1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert select_by_share(scores, bad, [0.95, 0.05], share=0.2).tolist() == [True, False]  # p = 1/10 and 5/10
    assert select_by_share(scores, bad, [], share=0.2).tolist() == []


def test_bad_input_is_refused():
    with pytest.raises(SettingError, match="between 0 and 1"):
        control_risk([0.1], [0], risk=0.0)
    with pytest.raises(SettingError, match="at most good"):
        fit_deferral([0.1], [0.2], risk=0.5, good=0.5, hard=0.6)
    with pytest.raises(ShapeError, match="same length"):
        control_risk([0.1, 0.2], [0], risk=0.5)
    with pytest.raises(ShapeError, match="its patient"):
        control_risk([0.1, 0.2], [0, 1], risk=0.5, patients=["a"])
    with pytest.raises(InputError, match=r"0\.\.1"):
        control_risk([0.1, 0.2], [0, 2], risk=0.5)
