from collections.abc import Callable, Iterator, Sequence

from medloop.loop.judging.release_costs import AGAIN, fastest


def measuring(seconds: Sequence[float]) -> Callable[[], tuple[float, int]]:
    """A model that takes these seconds, one after the other, and the last ones from then on."""
    left: Iterator[float] = iter(seconds)
    last = seconds[-1]
    return lambda: (next(left, last), 100)


def test_a_candidate_measured_while_the_machine_was_busy_is_measured_again():
    assert fastest(measuring([0.9, 0.8, 0.31]), measuring([0.30]), 2.0) == ((0.31, 100), (0.30, 100))


def test_a_candidate_that_is_slower_stays_slower_however_often_it_is_measured():
    newer = measuring([0.9, *[0.7] * AGAIN])
    (seconds, _), (before, _) = fastest(newer, measuring([0.30, 0.29]), 2.0)
    assert (seconds, before) == (0.7, 0.29)


def test_one_measurement_each_is_enough_where_it_is_within_bounds():
    newer, older = measuring([0.5, 0.1]), measuring([0.3, 0.1])
    assert fastest(newer, older, 2.0) == ((0.5, 100), (0.3, 100))
    assert (newer(), older()) == ((0.1, 100), (0.1, 100))
