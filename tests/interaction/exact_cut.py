"""An exact min-cut by SciPy's maximum flow: the independent reference for the relaxation."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

UNIT = 10_000
"""Flows are whole numbers: prices are rounded to 1 / UNIT."""


def exact_cut(cost, weights):
    """Foreground of least energy, shape (I, J, K)."""
    count = cost.size
    number = np.arange(count).reshape(cost.shape)
    prices = np.round(cost.ravel() * UNIT).astype(np.int32)
    pays, costs = np.flatnonzero(prices < 0), np.flatnonzero(prices > 0)
    tails, heads = [np.full(len(pays), count), costs], [pays, np.full(len(costs), count + 1)]
    capacities = [-prices[pays], prices[costs]]
    for axis, weight in enumerate(weights):
        near = np.take(number, range(cost.shape[axis] - 1), axis=axis).ravel()
        far = np.take(number, range(1, cost.shape[axis]), axis=axis).ravel()
        face = np.round(weight.ravel() * UNIT).astype(np.int32)
        tails, heads, capacities = [*tails, near, far], [*heads, far, near], [*capacities, face, face]
    shape = (count + 2, count + 2)
    graph = csr_array((np.concatenate(capacities), (np.concatenate(tails), np.concatenate(heads))), shape=shape)
    left = graph - maximum_flow(graph, count, count + 1).flow
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    reached = np.zeros(count + 2, dtype=bool)
    reached[breadth_first_order(left, count, return_predecessors=False)] = True
    return reached[:count].reshape(cost.shape)


def energy(cost, weights, foreground):
    """What a foreground costs."""
    labels = foreground.astype(np.float64)
    return float((cost * labels).sum() + sum((w * np.abs(np.diff(labels, axis=a))).sum() for a, w in enumerate(weights)))
