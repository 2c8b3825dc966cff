"""What every home of an executor promises: in this process and in local processes; `test_ray` holds Ray to the same."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest

from medloop.core.errors import BlobError, CancelledError, ConflictError, InputError, MedloopError, SettingError, UnavailableError
from medloop.execution.executor import IN_PROCESS, Executor, Task, ordered, shards_of
from medloop.execution.processes import LocalWorker, local_processes
from medloop.execution.workers import Workers
from tests.execution import chores


@pytest.fixture(scope="module")
def two() -> Iterator[Workers[LocalWorker]]:
    with local_processes(2) as executor:
        yield executor


@pytest.fixture(params=["here", "two"])
def executor(request: pytest.FixtureRequest) -> Executor:
    return IN_PROCESS if request.param == "here" else request.getfixturevalue("two")


def test_results_come_in_the_order_of_the_tasks(executor: Executor) -> None:
    assert ordered(executor, [Task(f"number {n}", chores.square, (n,)) for n in range(20)]) == [n * n for n in range(20)]


def test_a_task_that_fails_ends_the_run_in_its_own_words_and_names_its_shard(executor: Executor) -> None:
    tasks = [Task("cases 1-4", chores.square, (1,)), Task("cases 5-8", chores.refuse, (7,))]
    with pytest.raises(BlobError, match=r"^cases 5-8: number 7 is damaged; restore it$") as refused:
        ordered(executor, tasks)
    assert refused.value.blob == "ab" * 32
    with pytest.raises(MedloopError, match=r"^cases 9: ZeroDivisionError: division by zero$"):
        ordered(executor, [Task("cases 9", chores.blunder, (9,))])


def test_the_next_task_is_drawn_only_when_a_worker_is_free(two: Executor) -> None:
    drawn: list[int] = []

    def tasks() -> Iterator[Task[int]]:
        for n in range(10):
            drawn.append(n)
            yield Task(str(n), chores.square, (n,))

    results = two.run(tasks())
    next(results)
    assert len(drawn) <= 3
    assert len(list(results)) == 9


def test_a_killed_worker_costs_nothing(two: Executor, tmp_path: Path) -> None:
    tasks = [Task(f"number {n}", chores.die_once, (n, str(tmp_path / f"mark-{n % 3}"))) for n in range(12)]
    assert ordered(two, tasks) == list(range(12))


def test_a_worker_killed_between_two_runs_is_replaced(two: Executor) -> None:
    (process,) = ordered(two, [Task("who", chores.own_process, place=0)])
    os.kill(process, 9)
    (another,) = ordered(two, [Task("who", chores.own_process, place=0)])
    assert another != process


def test_a_task_that_ends_every_worker_is_refused_with_its_name(two: Executor) -> None:
    with pytest.raises(UnavailableError, match=r"^case 7 ended its worker 3 times \(signal SIGKILL\); where memory ran out"):
        ordered(two, [Task("case 7", chores.die, (7,))])
    assert ordered(two, [Task("case 8", chores.square, (8,))]) == [64]


def test_stopping_ends_what_runs_and_the_next_run_works(two: Executor, tmp_path: Path) -> None:
    mark = tmp_path / "begun"

    def check() -> None:
        if mark.exists():
            raise CancelledError("stopped")

    with pytest.raises(CancelledError, match=r"^stopped$"):
        ordered(two, [Task("long", chores.forever, (str(mark),))], check=check)
    assert ordered(two, [Task("short", chores.square, (3,))]) == [9]


def test_whoever_stops_reading_results_stops_the_work(two: Executor, tmp_path: Path) -> None:
    results = two.run([Task("short", chores.square, (2,)), Task("long", chores.forever, (str(tmp_path / "begun"),))])
    assert next(results).result == 4
    results.close()  # type: ignore[attr-defined]  # it is a generator
    assert ordered(two, [Task("short", chores.square, (3,))]) == [9]


def test_what_cannot_be_sent_is_said(two: Executor) -> None:
    with pytest.raises(InputError, match=r"^shard 1: its result cannot be sent between processes \(TypeError: cannot pickle"):
        ordered(two, [Task("shard 1", chores.unsendable, (1,))])
    with pytest.raises(InputError, match=r"^shard 2: its arguments cannot be sent between processes"):
        ordered(two, [Task("shard 2", chores.square, (lambda: 1,))])


def test_tasks_of_one_place_meet_in_one_process(two: Executor) -> None:
    first = ordered(two, [Task(f"{n}", chores.count_here, (n,), place=n) for n in range(2)])
    again = ordered(two, [Task(f"{n}", chores.count_here, (n,), place=n) for n in range(2)])
    assert [process for process, _ in first] == [process for process, _ in again]
    assert [count for _, count in again] == [count + 1 for _, count in first]


def test_tasks_that_wait_for_others_begin_when_these_end(two: Executor) -> None:
    ended: list[str] = []

    def tasks() -> Iterator[Task[int] | None]:
        yield Task("first", chores.square, (1,))
        while not ended:
            yield None
        yield Task("second", chores.square, (2,))

    for done in two.run(tasks()):
        ended.append(done.key)
    assert ended == ["first", "second"]


def test_tasks_that_nothing_can_free_are_refused(executor: Executor) -> None:
    with pytest.raises(ConflictError, match="No task can begin"):
        list(executor.run(repeat(None)))


def test_a_worker_of_another_version_is_refused() -> None:
    with (
        local_processes(1, version="medloop 0.0.9 (1234abcd)") as older,
        pytest.raises(ConflictError, match=r"^one: A worker on .* is of another version: medloop .* where medloop 0\.0\.9 \(1234abcd\)"),
    ):
        ordered(older, [Task("one", chores.square, (1,))])


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from medloop.execution.executor import Task, ordered\n"
        "from medloop.execution.processes import local_processes\n"
        "from tests.execution import chores\n"
        "if __name__ == '__main__':\n"
        "    executor = local_processes(1)\n"
        "    print(*ordered(executor, [Task('a', chores.own_process)]), flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    (tmp_path / "dies.py").write_text(code)
    root = str(Path(__file__).parents[2])
    child = subprocess.run(
        [sys.executable, str(tmp_path / "dies.py")], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}, check=False, text=True
    )
    assert child.returncode == -9
    process = Path(f"/proc/{int(child.stdout)}")
    until = 200
    while process.exists() and "State:\tZ" not in (process / "status").read_text() and until:
        subprocess.run(["sleep", "0.05"], check=True)
        until -= 1
    assert until


@pytest.mark.parametrize(("count", "parts", "sizes"), [(10, 4, [2, 3, 2, 3]), (2, 4, [1, 1]), (0, 3, []), (5, 1, [5])])
def test_shards_are_even_and_never_empty(count: int, parts: int, sizes: list[int]) -> None:
    shards = shards_of(count, parts)
    assert [stop - start for start, stop in shards] == sizes
    assert [n for start, stop in shards for n in range(start, stop)] == list(range(count))


def test_fewer_than_one_process_is_refused() -> None:
    with pytest.raises(SettingError, match="at least 1 process, got 0"):
        local_processes(0)
