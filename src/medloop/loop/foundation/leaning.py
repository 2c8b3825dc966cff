"""Whether an annotation leans on a model's proposal: the one rule for evaluation, quality and reports.

An annotation leans when it began with a prediction, of any model, directly or through annotations that did, and something of
that prediction stands that nobody touched. One that is compared with a model then flatters it.
"""

import numpy as np

from medloop.core.records import Annotation, Prediction
from medloop.loop.foundation.consensus import may_lean
from medloop.store.reader import Reader


def leans_on_proposal(tx: Reader, annotation: Annotation) -> bool:
    """Whether an annotation leans on a model's proposal; what is older than the record of it is judged by what it was shown."""
    if annotation.began_with is None and annotation.untouched is None:
        return _old_leans(tx, annotation)
    return may_lean(annotation)


def leaning_words(leaning: int, cases: int) -> str:
    """What a score over so many cases says about itself, "" when none of their annotations leans on a proposal."""
    if not leaning:
        return ""
    return f"{leaning} of {cases} annotations began as a model's proposal and stand in part untouched: the score flatters the model"


def _old_leans(tx: Reader, annotation: Annotation) -> bool:
    """An annotation from before its beginning was kept."""
    if annotation.origin != "human":
        return False
    earlier = tx.get(Annotation, annotation.supersedes) if annotation.supersedes else None
    if earlier is not None and annotation.tag is None:
        return leans_on_proposal(tx, earlier)
    if annotation.proposal_id is None or annotation.tag is None:
        return may_lean(annotation)
    return int(np.argmax(tx.get(Prediction, annotation.proposal_id).probabilities)) == annotation.tag
