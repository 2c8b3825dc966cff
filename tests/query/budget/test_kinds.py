"""The kind of annotation worth most per minute: by hand, and what a proposal's chance follows from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.query.budget.kinds import Offer, best_offer, chance_accepted, verifying


def test_the_offer_worth_most_per_minute_is_chosen_and_the_first_of_equal_ones():
    offers = [Offer("whole", 100, 5), Offer("slices", 30, 1), Offer("regions", 60, 2)]
    assert best_offer(offers).kind == "slices"
    assert best_offer([*offers[:1], Offer("verify", 20, 1)]).kind == "whole"


@pytest.mark.parametrize("wrong", [[], [Offer("whole", -1, 1)], [Offer("whole", 1, 0)], [Offer("whole", float("nan"), 1)]])
def test_what_cannot_be_weighed_is_refused(wrong):
    with pytest.raises(InputError):
        best_offer(wrong)


def test_a_look_that_does_not_end_in_acceptance_is_followed_by_the_whole():
    assert verifying(10, look=0.5, whole=4, accepted=0.75) == Offer("verify", 10, 0.5 + 0.25 * 4)


@given(st.floats(0.01, 10), st.floats(0.02, 50), st.floats(0, 1), st.floats(0.01, 1e4))
def test_a_look_pays_exactly_where_it_is_shorter_than_what_acceptance_saves(look, whole, accepted, gain):
    better = verifying(gain, look, whole, accepted).worth > Offer("whole", gain, whole).worth
    if abs(look - accepted * whole) > 1e-6:
        assert better == (look < accepted * whole)


def test_acceptance_is_as_often_as_of_proposals_at_least_as_uncertain():
    doubts, accepted = np.array([0.1, 0.2, 0.3, 0.4]), np.array([1.0, 1.0, 0.0, 0.0])
    assert chance_accepted(0.05, doubts, accepted) == pytest.approx(2 / 6)
    assert chance_accepted(0.2, doubts, accepted) == pytest.approx(1 / 5)
    assert chance_accepted(0.3, doubts, accepted) == 0
    assert chance_accepted(0.1, np.zeros(0), np.zeros(0)) == 0
