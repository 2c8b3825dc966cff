"""Strategies that ask what the model doubts most, case by case."""

from medloop.query.selecting import highest
from medloop.query.strategy import Strategy

least_confidence = highest("least_confidence", "the likeliest class is uncertain (least confidence {value})")
margin = highest("margin", "two classes are almost equally likely ({value})")
entropy = highest("entropy", "the model is uncertain (entropy {value})")
bald = highest("bald", "the model's samples disagree ({value} nats)")

STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="least-confidence",
        title="Least confidence",
        paper="Lewis and Gale 1994, arXiv:cmp-lg/9407020",
        needs=frozenset({"least_confidence"}),
        cost="one prediction per case",
        advice="Classification with one sample per case; looks only at the most likely class.",
        select=least_confidence,
    ),
    Strategy(
        name="margin",
        title="Smallest margin",
        paper="Scheffer et al. 2001, doi:10.1007/3-540-44816-0_31",
        needs=frozenset({"margin"}),
        cost="one prediction per case",
        advice="Several classes that are confused in pairs.",
        select=margin,
    ),
    Strategy(
        name="entropy",
        title="Predictive entropy",
        paper="Settles 2009, Active Learning Literature Survey, section 3.1",
        needs=frozenset({"entropy"}),
        cost="one prediction per case; better with several samples",
        advice="Segmentation with small batches; may pick near-duplicates in large ones.",
        select=entropy,
    ),
    Strategy(
        name="bald",
        title="BALD (mutual information)",
        paper="Houlsby et al. 2011, arXiv:1112.5745; Gal et al. 2017, arXiv:1703.02910",
        needs=frozenset({"bald"}),
        cost="several samples per case (dropout, flips or an ensemble)",
        advice="When images are noisy: queries where the samples disagree, not where the image is ambiguous.",
        select=bald,
    ),
)
