"""Work done ahead of its use, in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Iterable[Item], *, ahead: int) -> Iterator[Result]:
    """`map(work, items)`, with up to `ahead` results computed in other threads before they are asked for.

    Args:
        work: Called once for each item; must not depend on when, or in which thread.
        items: Taken only as far as needed.
        ahead: Most results waiting or being worked on, one thread each; 0 calls `work` when its result is asked for.

    Raises:
        Exception: Whatever `work` raised, at the place of its item.
    """
    if ahead == 0:
        yield from map(work, items)
        return
    remaining, waiting = iter(items), deque[Future[Result]]()
    pool = ThreadPoolExecutor(ahead, thread_name_prefix="ahead")
    try:
        for item in remaining:
            waiting.append(pool.submit(work, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
