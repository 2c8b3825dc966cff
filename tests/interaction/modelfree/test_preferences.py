import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import FormatError
from medloop.interaction.modelfree.preferences import Preferences

TOOLS = ("walker", "cut", "watershed")
COUNTS = st.dictionaries(st.sampled_from(TOOLS), st.integers(0, 50))


def test_of_untried_tools_the_first_is_best_until_it_is_undone():
    assert Preferences().best(TOOLS) == "walker"
    disliked = Preferences().rejected("walker")
    assert disliked.rate("walker") == pytest.approx(1 / 3)
    assert disliked.best(TOOLS) == "cut"
    assert disliked.accepted("watershed").best(TOOLS) == "watershed"


@given(COUNTS, COUNTS, st.sampled_from(TOOLS))
def test_keeping_raises_and_undoing_lowers_a_tools_rate_alone(kept, undone, tool):
    before = Preferences(kept, undone)
    assert before.accepted(tool).rate(tool) > before.rate(tool) > before.rejected(tool).rate(tool)
    for other in set(TOOLS) - {tool}:
        assert before.accepted(tool).rate(other) == before.rate(other) == before.rejected(tool).rate(other)


def test_draws_favour_what_is_kept_but_try_the_rest():
    known = Preferences({"walker": 6}, {"cut": 2})
    drawn = [known.draw(TOOLS, np.random.default_rng(n)) for n in range(200)]
    counts = [drawn.count(t) for t in TOOLS]
    assert counts[0] > counts[2] > counts[1] > 0


@given(COUNTS, COUNTS)
def test_json_gives_preferences_back(kept, undone):
    before = Preferences(kept, undone)
    assert Preferences.from_json(json.loads(json.dumps(before.to_json()))) == before


@pytest.mark.parametrize(
    "record", [{}, {"kept": 3, "undone": {}}, {"kept": {"cut": -1}, "undone": {}}, {"kept": {"cut": 0.5}, "undone": {}}]
)
def test_other_records_are_refused(record):
    with pytest.raises(FormatError, match="Preferences"):
        Preferences.from_json(record)
