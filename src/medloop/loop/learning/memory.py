"""Which older cases are replayed beside the new ones: the memory of a training that goes on from a model.

    random      drawn anew for each training
    reservoir   each case has a number drawn once, from the project's seed and its name, and the smallest are kept: at any time an even
                sample of all cases so far, and what once fell out never comes back, so that its image is not needed again
    herding     those whose mean is closest to the mean of all in the features of the model before, in the order of choice

Sources: reservoir sampling, Vitter 1985, doi:10.1145/3147.3165, here by random keys (Efraimidis & Spirakis 2006,
doi:10.1016/j.ipl.2005.11.003); herding, Rebuffi et al. 2017, arXiv:1611.07725; that a small memory of either helps much, Chaudhry et al.
2019, arXiv:1902.10486.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.names import folded
from medloop.core.records import Case, Model
from medloop.core.seeds import derive_seed, generator
from medloop.core.settings import ReplayChoice, group_wanted
from medloop.loop.foundation.arrays import load_features
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.subgroups import subgroups_of
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.pool_predictions import predict_cases
from medloop.query.diversity.herding import herd


def cases_of_group(text: str, cases: Mapping[str, Case]) -> set[str]:
    """Ids of the cases of a setting `learn_group`, by what tables say of them; empty without one."""
    name, value = group_wanted(text)
    if not name:
        return set()
    known = {i: {folded(n): folded(v) for n, v in subgroups_of(case).items()} for i, case in cases.items()}
    return {i for i, groups in known.items() if groups.get(folded(name)) == folded(value)}


def memory_size(wanted: int, new: int) -> int:
    """How many older cases are replayed: as the setting says, else as many as are new."""
    return wanted or new


def replayed(workspace: Workspace, control: JobControl, parent: Model, old: Sequence[Case], *, new: int) -> set[str]:
    """Ids of the old cases, in the order of their names, that a training learns again beside so many new ones."""
    settings = workspace.settings
    count = memory_size(settings.replay_cases, new)
    if settings.replay_choice == "herding" and count < len(old):
        return _herded(workspace, control, parent, old, count)
    ids = {case.name: case.id for case in old}
    return {ids[name] for name in chosen_evenly(settings.replay_choice, list(ids), count, seed=settings.seed, turn=parent.index)}


def chosen_evenly(choice: ReplayChoice, old: Sequence[str], count: int, *, seed: int, turn: int) -> set[str]:
    """So many of the old cases, each as likely as the others.

    Args:
        choice: "reservoir" keeps what it drew; anything else draws anew each turn.
        old: Their names.
        count: How many at most.
        seed: Of the project.
        turn: Number of the model before.
    """
    if choice == "reservoir":
        return set(sorted(old, key=lambda i: (derive_seed(seed, "reservoir", i), i))[:count])
    drawn = generator(seed, "warm start", turn).choice(len(old), size=min(count, len(old)), replace=False)
    return {old[n] for n in drawn}


def _herded(workspace: Workspace, control: JobControl, parent: Model, old: Sequence[Case], count: int) -> set[str]:
    found = _features(workspace, control, parent, old)
    lacking = [case.id for case in old if case.id not in found]
    known = [case.id for case in old if case.id in found]
    if lacking:
        control.log(f"{len(lacking)} of {len(old)} older cases have no features of model {parent.index} and are not replayed")
    return {known[n] for n in herd(np.stack([found[i] for i in known]), count)} if known else set()


def _features(workspace: Workspace, control: JobControl, parent: Model, old: Sequence[Case]) -> dict[str, FloatArray]:
    """The features of each old case by the model before; predictions it has made already are used again."""
    with workspace.store.read() as tx:
        done = {p.case_id for p in tx.latest_predictions(parent.id)}
    predict_cases(workspace, parent, [case for case in old if case.id not in done], control)
    with workspace.store.read() as tx:
        made = {p.case_id: p.features for p in tx.latest_predictions(parent.id)}
    named = {case.id: name for case in old if (name := made.get(case.id))}
    return {i: np.asarray(load_features(workspace.store.blobs, name), dtype=np.float64) for i, name in named.items()}
