"""Strategies that ask what the model doubts most, or what several samples of it disagree about, case by case."""

from medloop.query.selecting import highest
from medloop.query.strategy import Strategy

STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="least-confidence",
        title="Least confidence",
        paper="Lewis and Gale 1994, arXiv:cmp-lg/9407020",
        needs=frozenset({"least_confidence"}),
        cost="one prediction per case",
        advice="Classification with one sample per case; looks only at the most likely class.",
        select=highest("least_confidence", "the likeliest class is uncertain (least confidence {value})"),
    ),
    Strategy(
        name="margin",
        title="Smallest margin",
        paper="Scheffer et al. 2001, doi:10.1007/3-540-44816-0_31",
        needs=frozenset({"margin"}),
        cost="one prediction per case",
        advice="Several classes that are confused in pairs.",
        select=highest("margin", "two classes are almost equally likely ({value})"),
    ),
    Strategy(
        name="entropy",
        title="Predictive entropy",
        paper="Settles 2009, Active Learning Literature Survey, section 3.1",
        needs=frozenset({"entropy"}),
        cost="one prediction per case; better with several samples",
        advice="Segmentation with small batches; may pick near-duplicates in large ones.",
        select=highest("entropy", "the model is uncertain (entropy {value})"),
    ),
    Strategy(
        name="bald",
        title="BALD (mutual information)",
        paper="Houlsby et al. 2011, arXiv:1112.5745; Gal et al. 2017, arXiv:1703.02910",
        needs=frozenset({"bald"}),
        cost="several samples per case (dropout, flips or an ensemble)",
        advice="When images are noisy: queries where the samples disagree, not where the image is ambiguous.",
        select=highest("bald", "the model's samples disagree ({value} nats)"),
    ),
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
