"""Runs of draws, in which each took one case from just what the last had left; over several queries where nothing changed meanwhile."""

from collections.abc import Iterable, Mapping

from medloop.core.records import BY_HAND, Case, Choice, Query
from medloop.loop.foundation.pool_marks import mark_without

NOT_KEPT = "no estimate from the queried cases: {strategy} drew them, but not every chance is known (an older version, or some came first)"
CHOSEN = "no estimate from the queried cases: a person chose them, so they speak for themselves alone"
NO_CHANCE = "no estimate from the queried cases: the strategy {strategy} leaves no other case a chance, so they speak for themselves alone"


def chains_of(queries: Iterable[Query], cases: Mapping[str, Case]) -> tuple[list[list[Choice]], str]:
    """The runs of draws in which every one took one case from what the last had left; why there is none, in words.

    What the last had left is known by its mark. Queries of before marks were kept do not go on with each other: their counts agree also
    where as many cases came as went in between.
    """
    chains: list[list[Choice]] = [[]]
    certain = ""
    for query in queries:
        first = True
        for choice in query.choices:
            if choice.case_id not in cases or choice.label is not None:
                continue  # the audit sample is none of the pool, nor are cases that are annotated for other labels
            if choice.probability is None or choice.left is None:
                certain = certain or _why_none(query)
                chains.append([])
                continue
            if chains[-1] and not _goes_on(chains[-1][-1], choice, same_query=not first):
                chains.append([])
            chains[-1].append(choice)
            first = False
    return chains, "" if any(chains) else certain


def _goes_on(last: Choice, choice: Choice, *, same_query: bool) -> bool:
    """Whether a draw was made from just what the last one had left."""
    if choice.left is None or last.left != choice.left + 1:
        return False
    return mark_without(last.pool, last.case_id) == choice.pool if last.pool else same_query and not choice.pool


def _why_none(query: Query) -> str:
    """Why a query has picks without a chance, in words: of a strategy that draws, something of one is there."""
    if query.strategy == BY_HAND:
        return CHOSEN
    drew = any(choice.probability is not None or choice.left is not None for choice in query.choices)
    return (NOT_KEPT if drew else NO_CHANCE).format(strategy=query.strategy)
