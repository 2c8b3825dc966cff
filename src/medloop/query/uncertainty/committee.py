"""Strategies that ask what several samples of the model disagree about, and the ratio of the two best classes."""

from medloop.query.selecting import highest
from medloop.query.strategy import Strategy

STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="ratio",
        title="Ratio of confidence",
        paper="Monarch 2021, Human-in-the-Loop Machine Learning, section 3.2.3",
        needs=frozenset({"ratio"}),
        cost="one prediction per case",
        advice="Like the margin, but indifferent to how much probability the other classes take.",
        select=highest("ratio", "the second class is almost as likely as the first (ratio {value})"),
    ),
    Strategy(
        name="variation-ratio",
        title="Variation ratio",
        paper="Freeman 1965; Gal et al. 2017, arXiv:1703.02910",
        needs=frozenset({"variation_ratio"}),
        cost="several samples per case; with few samples many cases tie",
        advice="Classification with many samples; reads only which class each sample prefers.",
        select=highest("variation_ratio", "{value} of the model's samples vote against the majority"),
    ),
    Strategy(
        name="mean-std",
        title="Mean standard deviation",
        paper="Kampffmeyer et al. 2016, CVPR workshops; Gal et al. 2017, arXiv:1703.02910",
        needs=frozenset({"mean_std"}),
        cost="several samples per case",
        advice="A cheap relative of BALD without logarithms; in published comparisons usually behind it.",
        select=highest("mean_std", "the model's samples spread (standard deviation {value})"),
    ),
    Strategy(
        name="vote-entropy",
        title="Vote entropy",
        paper="Dagan and Engelson 1995, ICML; Settles 2009, section 3.2",
        needs=frozenset({"vote_entropy"}),
        cost="several samples per case or an ensemble; with few samples many cases tie",
        advice="Committees whose members are sure of themselves and disagree.",
        select=highest("vote_entropy", "the model's samples vote for different classes ({value} nats)"),
    ),
)
