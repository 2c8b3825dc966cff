"""Working ahead: the same results in the same order, and no further than asked."""

import itertools
import threading
from collections.abc import Iterator

import pytest

from medloop.models.training.ahead import in_order


@pytest.mark.parametrize("ahead", [0, 1, 3, 50])
def test_results_come_in_the_order_of_the_items(ahead: int) -> None:
    assert list(in_order(lambda n: n * n, range(20), ahead=ahead)) == [n * n for n in range(20)]


def test_works_while_the_caller_is_busy_but_only_so_far_ahead() -> None:
    begun: list[int] = []
    third = threading.Event()

    def work(n: int) -> int:
        begun.append(n)
        if n == 2:
            third.set()
        return n

    results: Iterator[int] = in_order(work, itertools.count(), ahead=2)
    assert next(results) == 0
    assert third.wait(timeout=10), "results after the first one were not worked on before they were asked for"
    assert next(results) == 1
    results.close()  # type: ignore[attr-defined]  # a generator
    assert sorted(begun) == list(range(len(begun)))
    assert len(begun) <= 4


@pytest.mark.parametrize("ahead", [0, 2])
def test_an_error_comes_at_its_place(ahead: int) -> None:
    results = in_order(lambda n: 6 // (2 - n), range(9), ahead=ahead)
    assert [next(results), next(results)] == [3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)
