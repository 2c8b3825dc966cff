"""Asking the worker for an adaptation: what can be refused at once is, the rest is found out when it runs."""

import json
from collections.abc import Mapping

from medloop.core.errors import InputError, SettingError
from medloop.core.records import Job, Model, Split
from medloop.loop.foundation.job_kinds import Adapt, request_job
from medloop.loop.foundation.learned import ADAPTED_FROM
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.drift_groups import ALL, column_of, group_of
from medloop.store.reader import Reader

INTENSITIES, ENTROPY = "intensities", "entropy"
WAYS = (INTENSITIES, ENTROPY)

SHOWN: Mapping[str, tuple[Split, ...]] = {INTENSITIES: ("train", "audit"), ENTROPY: ("train",)}
"""Splits whose unlabelled cases are shown: weights are never fitted to the audit sample, labelled or not."""

FEWEST_NEW = 3
"""Unlabelled cases of a group at least."""


def request_adaptation(workspace: Workspace, *, by: str, value: str, way: str = INTENSITIES, actor: str = "system") -> Job:
    """Have the worker adapt the model in use to the cases of one group; a wish for the same group that waits already counts.

    Args:
        workspace: The project.
        by: Column that makes groups, such as "scanner"; "all" takes every unlabelled case.
        value: Which group, such as "B"; "" with `all`.
        way: "intensities" or "entropy".
        actor: Who wants it.

    Raises:
        SettingError: No such way.
        InputError: No model in use, one that is adapted already, no such column, or too few unlabelled cases of the group.
    """
    require_way(way)
    with workspace.store.read() as tx:
        adaptable_model(tx)
        pool = tx.unlabelled_cases(SHOWN[way])
    column_of(pool, by)
    there = sum(by == ALL or group_of(case, by) == f"{by} {value}" for case in pool)
    if there < FEWEST_NEW:
        which = "" if by == ALL else f" of {by} {value}"
        raise InputError(
            f"An adaptation needs {FEWEST_NEW} unlabelled cases, got {there}{which}", remedy="name another group, or add cases"
        )
    wanted = Adapt(by, "" if by == ALL else value, way)
    return request_job(workspace, wanted, f"adapt {json.dumps([wanted.by, wanted.value, way])}", actor=actor)


def adaptable_model(tx: Reader) -> Model:
    """The model in use, which is not an adapted one.

    Raises:
        InputError: There is none, or it is adapted.
    """
    model = tx.live_model()
    if model is None:
        raise InputError("An adaptation needs a model in use, got none", remedy="annotate some cases and train")
    if ADAPTED_FROM in model.metrics:
        raise InputError(f"Model {model.index} is adapted already", remedy="put the model that it comes from to use first")
    return model


def require_way(way: str) -> None:
    """Only the ways that there are.

    Raises:
        SettingError: Another one.
    """
    if way not in WAYS:
        raise SettingError(f"A model is adapted by {' or '.join(WAYS)}, got {way!r}")
