"""Before and after: which cases are shown of two models, in words that are true of them."""

from medloop.loop.overview.model_change import shown_places


def test_the_ends_and_the_middle_are_shown() -> None:
    assert shown_places([0.3, 0.1, 0.0, -0.2]) == [(0, "Gained most"), (1, "In the middle"), (3, "Lost most")]


def test_a_case_that_gained_is_not_called_the_one_that_lost_most() -> None:
    assert shown_places([0.5, 0.3, 0.2])[-1] == (2, "Gained least")
    assert shown_places([-0.1, -0.3, -0.5])[0] == (0, "Lost least")
    assert [word for _, word in shown_places([0.0, 0.0, 0.0])] == ["As before", "In the middle", "As before"]


def test_of_one_or_two_cases_all_are_shown_without_words() -> None:
    assert [shown_places([0.1] * count) for count in (0, 1, 2)] == [[], [(0, "")], [(0, ""), (1, "")]]
