"""Minutes per case: known laws come back, outliers do not, and the interval holds what it promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError, ShapeError
from medloop.query.budget.minutes import MIN_ANNOTATIONS, border_length, error_words, fit_minutes, median_minutes, predicted_minutes


def answers(rng, count, noise=0.2, slopes=(0.5, 0.3)):
    """Features, and seconds that follow the law: 10 s · (1 + x₁)^0.5 · (1 + x₂)^0.3 with log-normal noise."""
    features = rng.lognormal(4, 1.5, (count, 2))
    seconds = 10 * np.prod((1 + features) ** slopes, axis=1) * np.exp(rng.normal(0, noise, count))
    return features, seconds


def test_without_noise_the_law_is_found() -> None:
    features, seconds = answers(np.random.default_rng(0), 200, noise=0.0)
    model = fit_minutes(features, seconds)
    assert model.basis == "regression"
    assert model.coefficients == pytest.approx([0.5, 0.3], abs=0.01)
    assert predicted_minutes(model, features).expected == pytest.approx(seconds / 60, rel=0.05)


def test_one_feature_that_doubles_time_by_hand() -> None:
    # ln(1 + x) is 0 or 1, time is 60 s or 120 s: two values, so the line goes through both (almost: the ridge shrinks it)
    features = np.array([[0.0], [np.e - 1]] * 50)
    model = fit_minutes(features, np.array([60.0, 120.0] * 50))
    assert predicted_minutes(model, features[:2]).expected == pytest.approx([1.0, 2.0], rel=0.01)


def test_the_expected_time_is_the_mean_not_the_median() -> None:
    features, seconds = answers(np.random.default_rng(1), 3000, noise=0.8)
    assert predicted_minutes(fit_minutes(features, seconds), features).expected.sum() == pytest.approx(seconds.sum() / 60, rel=0.1)


def test_a_telephone_call_does_not_change_the_price_of_the_others() -> None:
    features, seconds = answers(np.random.default_rng(2), 60)
    disturbed = seconds.copy()
    disturbed[[3, 20, 41]] *= 50
    clean, robust = (predicted_minutes(fit_minutes(features, s), features).expected for s in (seconds, disturbed))
    assert np.median(np.abs(robust / clean - 1)) < 0.2


def test_the_interval_holds_about_nine_of_ten_new_answers() -> None:
    rng = np.random.default_rng(3)
    model = fit_minutes(*answers(rng, 200, noise=0.5))
    features, seconds = answers(rng, 2000, noise=0.5)
    found = predicted_minutes(model, features)
    assert 0.84 < ((found.low <= seconds / 60) & (seconds / 60 <= found.high)).mean() < 0.96


def test_more_work_is_never_predicted_to_be_cheaper_even_if_the_log_says_so() -> None:
    features, seconds = answers(np.random.default_rng(4), 50, slopes=(0.5, -0.4))
    assert fit_minutes(features, seconds).coefficients[1] == 0.0


def test_nothing_is_extrapolated_beyond_the_largest_answer() -> None:
    features, seconds = answers(np.random.default_rng(5), 50)
    model = fit_minutes(features, seconds)
    largest = features.max(axis=0, keepdims=True)
    assert predicted_minutes(model, largest * 1e6).expected == pytest.approx(predicted_minutes(model, largest).expected)


def slow_and_fast(rng, count, noise=0.2):
    """As `answers`, by three people, one twice as slow and one twice as fast as the others."""
    features, seconds = answers(rng, count, noise)
    people = [str(name) for name in rng.choice(["slow", "usual", "fast"], count)]
    return features, seconds * np.array([{"slow": 2.0, "usual": 1.0, "fast": 0.5}[name] for name in people]), people


def test_the_stated_error_is_that_of_new_annotations() -> None:
    rng = np.random.default_rng(6)
    model = fit_minutes(*answers(rng, 150, noise=0.3))
    features, seconds = answers(rng, 3000, noise=0.3)
    missed = np.median(np.abs(predicted_minutes(model, features).expected * 60 / seconds - 1))
    assert model.anybody is not None
    assert model.anybody.error_low <= missed <= model.anybody.error_high
    assert model.anybody.error == pytest.approx(missed, abs=0.06)


def test_the_interval_of_the_stated_error_by_hand() -> None:
    """Twenty annotations without any feature: the 5th and the 16th error, where the 6th and 15th would hold 90 % only."""
    seconds = 60.0 * np.exp(np.linspace(-1.0, 1.0, 20))
    found = fit_minutes(np.zeros((20, 1)), seconds).anybody
    assert found is not None
    errors = np.sort(np.abs(found.smear * 60.0 / seconds - 1))
    assert (found.error_low, found.error_high) == (pytest.approx(errors[4]), pytest.approx(errors[15]))


def test_who_is_slow_is_known_once_they_annotated_enough_and_hardly_before() -> None:
    rng = np.random.default_rng(7)
    features, seconds, people = slow_and_fast(rng, 200)
    model = fit_minutes(features, seconds, people)
    slow, usual = (float(predicted_minutes(model, features[:1], who).expected[0]) for who in ("slow", "usual"))
    assert slow / usual == pytest.approx(2.0, rel=0.2)
    assert model.known is not None
    assert model.anybody is not None
    assert model.known.error < 0.7 * model.anybody.error
    assert model.accuracy("slow") is model.known
    assert model.accuracy("nobody") is model.accuracy() is model.anybody
    extra = fit_minutes(np.vstack([features, features[:1]]), np.append(seconds, seconds[0] * 50), [*people, "new"])
    assert abs(extra.paces["new"]) < 0.5 * np.log(50)


def test_people_of_one_pace_are_not_told_apart() -> None:
    rng = np.random.default_rng(8)
    features, seconds = answers(rng, 100, noise=0.3)
    model = fit_minutes(features, seconds, [f"person {n % 5}" for n in range(100)])
    assert max(abs(pace) for pace in model.paces.values()) < 0.15


def test_too_few_annotations_say_how_many_are_there_and_how_many_it_takes() -> None:
    assert error_words(fit_minutes(np.ones((3, 2)), np.ones(3))).startswith("not enough cases yet to say how far off: 3 of 20 ")
    features, seconds = answers(np.random.default_rng(9), MIN_ANNOTATIONS)
    assert error_words(fit_minutes(features, seconds)).startswith("off by ")


def test_few_answers_give_their_median_for_every_case() -> None:
    model = fit_minutes(np.ones((3, 2)), np.array([60.0, 120.0, 600.0]))
    assert model.basis == "median"
    assert predicted_minutes(model, np.array([[0.0, 0.0], [9.0, 9.0]])).expected == pytest.approx([2.0, 2.0])


def test_no_answers_give_one_minute_and_say_that_nothing_is_known() -> None:
    model = median_minutes(np.zeros(0), features=2)
    assert model.basis == "nothing"
    assert predicted_minutes(model, np.ones((1, 2))).expected == pytest.approx([1.0])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(MIN_ANNOTATIONS, 30))
def test_predictions_are_positive_ordered_and_do_not_depend_on_constant_features(seed, count) -> None:
    features, seconds = answers(np.random.default_rng(seed), count)
    found = predicted_minutes(fit_minutes(features, seconds), features)
    assert (found.low > 0).all()
    assert (found.low <= found.high).all()
    wider = np.column_stack([features, np.full(count, 7.0)])
    again = predicted_minutes(fit_minutes(wider, seconds), wider)
    assert again.expected == pytest.approx(found.expected)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="above 0"):
        fit_minutes(np.ones((2, 1)), np.array([1.0, 0.0]))
    with pytest.raises(InputError, match="0 or more"):
        fit_minutes(np.array([[-1.0]]), np.array([1.0]))
    with pytest.raises(ShapeError, match="one value per annotation"):
        fit_minutes(np.ones((2, 1)), np.ones(3))
    with pytest.raises(ShapeError, match="one name per annotation"):
        fit_minutes(np.ones((3, 1)), np.ones(3), ["a"])
    with pytest.raises(ShapeError, match="knows 1 features"):
        predicted_minutes(median_minutes(np.ones(1), features=1), np.ones((1, 2)))


def test_the_border_of_a_square_is_its_outline_and_labels_have_borders_between_them() -> None:
    mask = np.zeros((6, 6, 1), dtype=np.uint8)
    mask[1:5, 1:5] = 1
    assert border_length(mask) == 12
    mask[3:5, 1:5] = 2
    assert border_length(mask) == 16
    assert border_length(np.zeros((3, 3, 2), dtype=np.uint8)) == 0
    assert border_length(np.ones((3, 3, 2), dtype=np.uint8)) == 16
