"""Tasks of selection.py: the highest entropy, margin and BALD of a large pool, and BatchBALD."""

from functools import cache
from typing import Any

import numpy as np

from selection_pool import answer_samples, probabilities
from selection_tasks import Task

COUNT, BATCH, CONFIGURATIONS = 100, 10, 4_000
_TINY = np.float32(1e-12)


def medloop_entropy(p: np.ndarray) -> list[int]:
    from medloop.query.scores import entropy

    return _picked("entropy", entropy(p))


def medloop_margin(p: np.ndarray) -> list[int]:
    from medloop.query.scores import margin

    return _picked("margin", margin(p))


def medloop_bald(samples: np.ndarray) -> list[int]:
    from medloop.query.scores import mutual_information

    return _picked("bald", mutual_information(samples))


def medloop_batchbald(samples: np.ndarray) -> list[int]:
    from medloop.query.uncertainty.batchbald import batchbald

    return list(batchbald(samples, BATCH, np.random.default_rng(0), configurations=CONFIGURATIONS).indices)


def numpy_entropy(p: np.ndarray) -> list[int]:
    return _highest(-(p * np.log(p + _TINY)).sum(axis=1))


def numpy_margin(p: np.ndarray) -> list[int]:
    ranked = np.sort(p, axis=1)
    return _highest(1.0 - (ranked[:, -1] - ranked[:, -2]))


def numpy_bald(samples: np.ndarray) -> list[int]:
    mean = samples.mean(axis=0)
    own = -(samples * np.log(samples + _TINY)).sum(axis=2).mean(axis=0)
    return _highest(-(mean * np.log(mean + _TINY)).sum(axis=1) - own)


def activeml_entropy(p: np.ndarray) -> list[int]:
    from skactiveml.pool import uncertainty_scores

    return _highest(uncertainty_scores(p, method="entropy"))


def activeml_margin(p: np.ndarray) -> list[int]:
    from skactiveml.pool import uncertainty_scores

    return _highest(uncertainty_scores(p, method="margin_sampling"))


def activeml_bald(samples: np.ndarray) -> list[int]:
    """The mean divergence of the members from their mean is the mutual information."""
    from skactiveml.pool import average_kl_divergence

    return _highest(average_kl_divergence(samples))


def activeml_batchbald(samples: np.ndarray) -> list[int]:
    from skactiveml.pool import batch_bald

    found: Any = batch_bald(samples, batch_size=BATCH, n_MC_samples=CONFIGURATIONS, random_state=0)
    return [int(np.nanargmax(utilities)) for utilities in np.atleast_2d(found)]


def baal_entropy(p: np.ndarray) -> list[int]:
    from baal.active.heuristics import Entropy

    return _listed(Entropy()(p)[:COUNT])


def baal_margin(p: np.ndarray) -> list[int]:
    from baal.active.heuristics import Margin

    return _listed(Margin()(p)[:COUNT])


def baal_bald(samples: np.ndarray) -> list[int]:
    """Its layout is (cases, classes, samples): a view, no copy is charged."""
    from baal.active.heuristics import BALD

    return _listed(BALD()(samples.transpose(1, 2, 0))[:COUNT])


def baal_batchbald(samples: np.ndarray) -> list[int]:
    from baal.active.heuristics import BatchBALD

    return _listed(BatchBALD(num_samples=BATCH, num_draw=CONFIGURATIONS)(samples.transpose(1, 2, 0))[:BATCH])


def redux_batchbald(samples: np.ndarray) -> list[int]:
    import torch
    from batchbald_redux.batchbald import get_batchbald_batch

    torch.set_num_threads(1)
    logs = torch.from_numpy(np.log(samples.transpose(1, 0, 2) + _TINY))
    return _listed(get_batchbald_batch(logs, BATCH, CONFIGURATIONS, dtype=torch.double).indices)


def _highest(values: np.ndarray) -> list[int]:
    return _listed(np.argsort(-values, kind="stable")[:COUNT])


def _picked(name: str, values: np.ndarray) -> list[int]:
    """What the product's strategy of that name picks: the pool is put in order by case id and searched whole."""
    from medloop.query.strategies import Pool, strategy

    pool = Pool(_ids(len(values)), {name: values}, None, None)
    return [pick.index for pick in strategy(name).select(pool, COUNT, np.random.default_rng(0))]


@cache
def _ids(count: int) -> tuple[str, ...]:
    return tuple(f"{n:08d}" for n in range(count))


def _listed(indices: Any) -> list[int]:
    return [int(n) for n in indices]


TASKS: tuple[Task, ...] = (
    Task(
        name="entropy, top 100",
        make=probabilities,
        cases=1_000_000,
        sides={"medloop": medloop_entropy, "numpy": numpy_entropy, "scikit-activeml": activeml_entropy, "baal": baal_entropy},
        wanted="0.02 CPU s",
    ),
    Task(
        name="margin, top 100",
        make=probabilities,
        cases=1_000_000,
        sides={"medloop": medloop_margin, "numpy": numpy_margin, "scikit-activeml": activeml_margin, "baal": baal_margin},
        wanted="0.04 CPU s",
    ),
    Task(
        name="BALD, top 100 of 20 samples",
        make=answer_samples,
        cases=100_000,
        sides={"medloop": medloop_bald, "numpy": numpy_bald, "scikit-activeml": activeml_bald, "baal": baal_bald},
        wanted="0.04 CPU s",
    ),
    Task(
        name="BatchBALD, 10 with 4,000 configurations",
        make=answer_samples,
        cases=10_000,
        sides={
            "medloop": medloop_batchbald,
            "scikit-activeml": activeml_batchbald,
            "baal": baal_batchbald,
            "batchbald_redux": redux_batchbald,
        },
        wanted="4.5 CPU s, 40 MiB",
    ),
)
