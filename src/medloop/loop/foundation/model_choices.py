"""What the decisions about models mean today: which ones were rolled back, and by what a decision is told to be about a candidate."""

from collections.abc import Sequence

from medloop.core.records import LiveChoice, Model
from medloop.store.reader import Reader

CANDIDATE = "candidate"
"""Among what a decision was made on: whether the model may be released by a person."""

ROLLED_BACK = "rolled_back"
"""Among what a decision was made on: the index of the model that it took out of use."""

TRIAL = "trial"
"""Among what a decision was made on: the share of the cases in which the candidate proposes from then on."""

FEDERATION = "federation"
"""Among the metrics of a model that several sites trained together: the gate decides about it, whatever the setting `release` says."""

REFUSED = "refused"
"""Among what a decision was made on: who refused the candidate, why and when."""


def rolled_back(tx: Reader, choices: Sequence[LiveChoice] | None = None) -> dict[str, int]:
    """Id → index of the models that were rolled back and that nobody has put to use since: they never come back by themselves."""
    found: dict[str, int] = {}
    for choice in tx.find(LiveChoice) if choices is None else choices:
        found.pop(choice.model_id, None)
        if (index := choice.comparison.get(ROLLED_BACK)) is not None:
            found |= {model.id: model.index for model in tx.find(Model, where={"index": index}, limit=1)}
    return found


def refused(tx: Reader, model_id: str) -> bool:
    """Whether a person refused a candidate and nobody has put it to use since: no evaluation puts it to use, or on trial, by itself."""
    for choice in reversed(tx.find(LiveChoice, where={"judged_id": model_id})):
        if REFUSED in choice.comparison or choice.model_id == model_id:
            return REFUSED in choice.comparison
    return False
