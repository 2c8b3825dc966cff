"""Before and after: which cases are shown of two models, in words that are true of them."""

import numpy as np

from medloop.loop.overview.judged import Succession
from medloop.loop.overview.model_change import shown_places
from medloop.metrics.succession import compare


def made_succession(patients: int) -> Succession:
    before = np.linspace(0.3, 0.8, patients)
    after = before + np.resize([0.02, 0.11, -0.03], patients)
    scores = tuple((f"case{n}", f"patient{n}", float(before[n]), float(after[n])) for n in range(patients))
    return Succession(1, 2, scores, "test", tuple(f"id{n}" for n in range(patients)))


def test_two_models_have_one_interval_wherever_they_are_compared() -> None:
    found = made_succession(6)
    _, patients, older, newer = zip(*found.scores, strict=True)
    decided = compare(newer, older, patients, with_index=1, source="test")
    assert (found.difference.mean, found.difference.low, found.difference.high) == (decided.difference, decided.low, decided.high)


def test_too_few_patients_are_named_in_place_of_an_interval() -> None:
    found = made_succession(5).difference
    assert (found.low, found.high, found.note) == (None, None, "an interval needs at least 6 patients")


def test_the_ends_and_the_middle_are_shown() -> None:
    assert shown_places([0.3, 0.1, 0.0, -0.2]) == [(0, "Gained most"), (1, "In the middle"), (3, "Lost most")]


def test_a_case_that_gained_is_not_called_the_one_that_lost_most() -> None:
    assert shown_places([0.5, 0.3, 0.2])[-1] == (2, "Gained least")
    assert shown_places([-0.1, -0.3, -0.5])[0] == (0, "Lost least")
    assert [word for _, word in shown_places([0.0, 0.0, 0.0])] == ["As before", "In the middle", "As before"]


def test_of_one_or_two_cases_all_are_shown_without_words() -> None:
    assert [shown_places([0.1] * count) for count in (0, 1, 2)] == [[], [(0, "")], [(0, ""), (1, "")]]
