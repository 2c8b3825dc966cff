"""The report of a simulated team: curves of quality over money, read off step by step, and a table of the runs."""

import pytest

from medloop.simulation.team_report import quality_at, spending_curves, team_html
from medloop.simulation.team_runs import Policy, Spending


def spending(policy: Policy, money: tuple[float, ...], quality: tuple[float, ...]) -> Spending:
    return Spending(policy, money, money, quality, tuple(("case", q, 1.0) for q in quality[1:]))


RUN: dict[Policy, Spending] = {
    "value": spending("value", (0.0, 2.0, 3.0), (0.0, 0.5, 0.9)),
    "two": spending("two", (0.0, 4.0, 8.0), (0.0, 0.4, 0.8)),
}


@pytest.mark.parametrize(("money", "quality"), [(0.0, 0.0), (1.9, 0.0), (2.0, 0.5), (2.9, 0.5), (3.0, 0.9), (8.0, 0.9)])
def test_quality_is_that_after_the_last_reading_that_the_money_paid_for(money: float, quality: float) -> None:
    assert quality_at(RUN["value"], money) == quality


def test_each_policy_is_a_named_line_and_seeds_that_differ_give_intervals() -> None:
    worse: dict[Policy, Spending] = {**RUN, "value": spending("value", (0.0, 2.0, 3.0), (0.0, 0.3, 0.7))}
    alike, apart = (str(spending_curves(runs)) for runs in ([RUN] * 3, [RUN, RUN, worse]))
    for words in ("routing", "two at random", "money spent", "mean quality of the annotations in force"):
        assert words in alike
    assert alike != apart
    assert "with 95 % intervals over seeds" in team_html("heads", [RUN] * 3)


def test_the_report_says_what_each_run_spent_and_a_name_with_markup_is_only_text() -> None:
    html = team_html("<b>heads</b>", [RUN])
    assert "&lt;b&gt;heads" in html
    assert "Mean of 1 seed; an interval takes 3." in html
    assert html.count("<tr>") == 3, "a head and two runs"
    assert ">0.900<" in html
    assert ">8<" in html
