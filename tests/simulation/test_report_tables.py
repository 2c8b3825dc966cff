"""Tables of the reports: what is not reached or not known is said, and names cannot break the page."""

from medloop.simulation.efficiency import Needed
from medloop.simulation.ranking import penalty_matrix
from medloop.simulation.report_tables import areas_table, foreground_table, labels_table, needed_words, penalty_table, ranks_table
from medloop.simulation.suite_results import needed_share
from medloop.simulation.summary import summarise

from .made_up_runs import ALIKE, PATIENTS, POOL, plain, runs

REACHED = Needed(12.4, 9.6, 15.2, 0.31, 0.24, 0.38, 1.0)
OPEN = Needed(12.4, 9.6, None, 0.31, 0.24, None, 0.8)
NEVER = Needed(None, 20.0, None, None, 0.5, None, 0.1)
UNREACHED = Needed(None, None, None, None, None, None, 0.0)


def test_labels_needed_in_words():
    assert needed_words(REACHED, 24) == "12<small>10 to 15</small><small>31% of the pool</small>"
    assert needed_words(OPEN, 24) == "12<small>10 to not reached</small><small>31% of the pool</small>"
    assert needed_words(NEVER, 24) == "not reached with 24<small>reached by 10% of seeds</small>"
    assert needed_words(UNREACHED, 24) == "not reached with 24"


def test_labels_needed_in_one_line():
    assert needed_share(REACHED) == "31% (24% to 38%)"
    assert needed_share(OPEN) == "31% (24% to not reached)"
    assert needed_share(NEVER) == "not reached (10% of seeds)"
    assert needed_share(None) == "unknown"


def test_names_are_escaped_everywhere():
    summary = summarise(runs(("a<b", 0.1, 0.01), ("c", 0.0, 0.01)), {0: 0.8}, PATIENTS, POOL)
    for html in (areas_table(summary), labels_table(summary), penalty_table(summary.penalties)):
        assert "a&lt;b" in html
        assert "a<b" not in html


def test_what_cannot_be_said_is_not_said():
    summary = summarise(runs(("a", 0.1, 0.01)), {}, PATIENTS, POOL)
    assert "no full-data model yet" in labels_table(summary)
    assert foreground_table(summary) == ""
    assert penalty_table(summary.penalties) == ""
    assert "Fewer than two strategies" in ranks_table(())


def test_a_pair_with_one_seed_says_what_it_lacks():
    alone = {name: [plain(name, 0, 0.5, 0.6)] for name in ("a", "b")}
    assert "needs three seeds" in penalty_table(penalty_matrix({"x": alone}, {"x": ALIKE}))
