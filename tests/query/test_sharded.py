"""Selection in shards picks the very cases that one process picks."""

import multiprocessing
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError, SettingError
from medloop.execution.executor import Check, Done, Executor, InProcess, Task, go_on
from medloop.execution.processes import local_processes
from medloop.query.diversity.covering import cover
from medloop.query.diversity.kcentre import k_centre
from medloop.query.diversity.sharded_kcentre import sharded_k_centre
from medloop.query.diversity.similarities import Ball, Cosine, Gaussian, Similarity
from medloop.query.pool import Pool
from medloop.query.sharding import Sharding, shared_tables, topmost
from medloop.query.strategies import strategy

R = TypeVar("R")


class Cut(InProcess):
    """This process, which cuts work as one of so many workers does."""

    is_here = False

    def __init__(self, width: int) -> None:
        self.width = width


def cut(width: int, folder: Path | None = None) -> Sharding:
    return Sharding(Cut(width), folder, fewest=1)


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray | None, int, int]:
    """Small whole numbers: full of ties and duplicates."""
    cases, width = draw(st.integers(1, 40)), draw(st.integers(1, 3))
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread = draw(st.sampled_from([1, 2, 5, 1000]))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    table = numbers.integers(-spread, spread + 1, (cases, width)).astype(dtype)
    known = draw(st.integers(0, 5))
    centres = numbers.integers(-spread, spread + 1, (known, width)).astype(dtype) if known else None
    return table, centres, draw(st.integers(0, cases)), draw(st.integers(0, cases - 1))


@given(tables(), st.integers(1, 7), st.sampled_from([1, 3, 256]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_shards_of_any_number_pick_what_one_process_picks(
    monkeypatch: pytest.MonkeyPatch, given_: tuple[np.ndarray, np.ndarray | None, int, int], width: int, nominees: int
) -> None:
    monkeypatch.setattr("medloop.query.diversity.sharded_kcentre.NOMINEES", nominees)
    table, centres, count, first = given_
    assert sharded_k_centre(table, centres, count, first=first, sharding=cut(width)) == k_centre(table, centres, count, first=first)


@pytest.mark.parametrize("known", [0, 300])
def test_a_pool_of_near_duplicates_far_from_the_origin_is_merged_exactly(known: int) -> None:
    numbers = np.random.default_rng(5)
    table = (1000 + np.repeat(numbers.normal(size=(700, 16)), 3, axis=0) + numbers.normal(scale=1e-4, size=(2100, 16))).astype(np.float32)
    centres = table[numbers.permutation(2100)[:known]] + np.float32(0.5) if known else None
    assert sharded_k_centre(table, centres, 120, first=3, sharding=cut(4)) == k_centre(table, centres, 120, first=3)


@pytest.fixture(scope="module")
def three() -> Iterator[Executor]:
    with local_processes(3) as executor:
        yield executor


class Killing:
    """An executor of which a worker is killed before its third run, between two picks."""

    is_here = False

    def __init__(self, inner: Executor) -> None:
        self.words, self.width, self._inner, self.runs = inner.words, inner.width, inner, 0

    def run(self, tasks: Iterable[Task[R] | None], *, check: Check = go_on) -> Iterator[Done[R]]:
        self.runs += 1
        if self.runs == 3:
            multiprocessing.active_children()[0].kill()
        return self._inner.run(tasks, check=check)

    def close(self) -> None:
        self._inner.close()


def test_worker_processes_pick_the_same_also_when_one_is_killed_between_two_picks(three: Executor, tmp_path: Path) -> None:
    table = np.random.default_rng(1).normal(size=(3000, 8)).astype(np.float32)
    np.save(tmp_path / "table.npy", table)
    mapped = np.load(tmp_path / "table.npy", mmap_mode="r")
    expected = k_centre(table, None, 400, first=7)
    sharding = Sharding(three, tmp_path / "work", fewest=1)
    assert sharded_k_centre(mapped, None, 400, first=7, sharding=sharding) == expected
    killing = Killing(three)
    assert sharded_k_centre(table, None, 400, first=7, sharding=replace(sharding, executor=killing)) == expected
    assert killing.runs > 3
    assert not list((tmp_path / "work").iterdir())


@given(tables(), st.integers(1, 5), st.sampled_from([Cosine(), Ball(1.5), Gaussian(2.0)]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cover_in_parts_is_that_of_one_process(
    monkeypatch: pytest.MonkeyPatch, given_: tuple[np.ndarray, np.ndarray | None, int, int], width: int, similarity: Similarity
) -> None:
    monkeypatch.setattr("medloop.query.diversity.covering._SIDE", 4)
    table, known, count, _ = given_
    assert cover(table, similarity, count, known=known, sharding=cut(width)) == cover(table, similarity, count, known=known)


@given(st.lists(st.integers(-3, 3), max_size=60), st.integers(0, 70), st.integers(1, 6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_topmost_of_parts_are_those_of_all(monkeypatch: pytest.MonkeyPatch, values: list[int], count: int, width: int) -> None:
    monkeypatch.setattr("medloop.query.sharding.SORTED_PER_TABLE", 1)
    scores = np.array(values, dtype=float)
    expected = np.argsort(-scores, kind="stable")[:count]
    np.testing.assert_array_equal(topmost(scores, count, cut(width)), expected)


def test_a_pool_says_by_whom_its_selection_is_worked_out() -> None:
    numbers = np.random.default_rng(3)
    pool = Pool(tuple(f"{n:03d}" for n in range(300)), {"entropy": numbers.random(300)}, numbers.normal(size=(300, 4)), None)
    for name in ("coreset", "facility-location", "entropy"):
        asked = [strategy(name).select(one, 9, np.random.default_rng(0)) for one in (pool, replace(pool, sharding=cut(3)))]
        assert asked[0] == asked[1]


def test_a_map_of_a_whole_file_is_shared_as_it_is_and_a_part_is_copied(tmp_path: Path) -> None:
    np.save(tmp_path / "table.npy", np.arange(24, dtype=np.float32).reshape(8, 3))
    mapped = np.load(tmp_path / "table.npy", mmap_mode="r")
    with shared_tables([mapped, mapped[2:5], np.zeros((0, 3))], None) as (whole, part, empty):
        assert whole.path == str(tmp_path / "table.npy")
        assert part.path != whole.path
        np.testing.assert_array_equal(whole.rows(), mapped)
        np.testing.assert_array_equal(part.rows(), mapped[2:5])
        assert empty.rows().shape == (0, 3)


def test_what_cannot_be_chosen_from_is_refused_in_shards_too() -> None:
    with pytest.raises(InputError, match="row 2 is not"):
        sharded_k_centre(np.array([[1.0], [2.0], [np.nan]]), None, 2, sharding=cut(2))
    with pytest.raises(SettingError, match=r"first pick must lie in 0\.\.2"):
        sharded_k_centre(np.ones((3, 1)), None, 2, first=3, sharding=cut(2))
    assert sharded_k_centre(np.ones((3, 1)), None, 0, sharding=cut(2)) == []
