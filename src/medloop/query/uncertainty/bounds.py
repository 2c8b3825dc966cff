"""What the sum of squared probabilities says about entropy, without a logarithm.

With p summing to 1 over C classes and q = Σp²:  -ln q  <=  H(p)  <=  U(q), where U(q) is the entropy of the one
distribution of that q that has one large and C - 1 equal probabilities. U falls as q grows.

Source: Harremoës and Topsøe 2001, doi:10.1109/18.959272, theorem II.5 (upper bound); Jensen's inequality (lower bound).
"""

import math

import numpy as np

from medloop.core.arrays import CaseScores


def highest_entropies(squares: CaseScores, classes: int) -> CaseScores:
    """U(q): the highest entropy of `classes` probabilities with these sums of squares.

    Args:
        squares: Σp² of each case, shape (cases,); clipped to 1/classes..1.
        classes: How many classes, at least 1.

    Returns:
        Nats, shape (cases,).
    """
    if classes < 2:
        return np.zeros_like(squares)
    large = np.minimum((1.0 + np.sqrt(np.maximum((classes - 1.0) * (classes * squares - 1.0), 0.0))) / classes, 1.0)
    rest = np.maximum(1.0 - large, np.finfo(large.dtype).tiny)
    found: CaseScores = -large * np.log(large) - rest * np.log(rest / (classes - 1.0))
    return found


def most_squares(entropy: float, classes: int) -> float:
    """The largest Σp² that still allows this entropy: U(q) >= entropy exactly for q up to the result.

    Args:
        entropy: Nats.
        classes: How many classes.

    Returns:
        1/classes to 1; -1 where no distribution reaches that entropy.
    """
    if entropy > math.log(classes):
        return -1.0
    low, high = 1.0 / classes, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if float(highest_entropies(np.array([middle]), classes)[0]) >= entropy:
            low = middle
        else:
            high = middle
    return high
