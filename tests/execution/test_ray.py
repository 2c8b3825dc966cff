"""Ray as a home: one real cluster of one's own, started once; its promises are those of `test_homes`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medloop.core.errors import BlobError, CancelledError, ConflictError, ForbiddenError, MedloopError, SettingError, UnavailableError
from medloop.execution.executor import Task, ordered
from medloop.execution.placement import Placement, placement_of
from medloop.execution.ray_access import LOCAL, checked_address, require_token_checked
from medloop.execution.ray_home import RayWorker, on_ray
from medloop.execution.workers import Workers
from tests.execution import chores

ROOT = str(Path(__file__).parents[2])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Workers[RayWorker]]:
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "RAY_AUTH_TOKEN", "RAY_AUTH_MODE", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER")}
    os.environ["PYTHONPATH"] = ROOT  # for the tasks of these tests
    handler = signal.getsignal(signal.SIGTERM)
    with on_ray(LOCAL, 2) as executor:
        ordered(executor, [Task(f"{n}", chores.square, (n,)) for n in range(2)])
        assert signal.getsignal(signal.SIGTERM) == handler
        yield executor
    for name, value in before.items():
        os.environ.pop(name, None)
        os.environ.update({name: value} if value is not None else {})


def listening() -> dict[int, set[str]]:
    """The addresses on which this machine's TCP sockets listen, by port, in hexadecimal as the kernel writes them."""
    rows = [line.split() for file in ("/proc/net/tcp", "/proc/net/tcp6") for line in Path(file).read_text().splitlines()[1:]]
    found: dict[int, set[str]] = {}
    for row in rows:
        if row[3] == "0A":
            address, port = row[1].split(":")
            found.setdefault(int(port, 16), set()).add(address)
    return found


def test_a_cluster_keeps_every_promise_of_a_home(cluster: Workers[RayWorker], tmp_path: Path) -> None:
    assert ordered(cluster, [Task(f"number {n}", chores.square, (n,)) for n in range(9)]) == [n * n for n in range(9)]
    killed = [Task(f"number {n}", chores.die_once, (n, str(tmp_path / "mark"))) for n in range(5)]
    assert ordered(cluster, killed) == list(range(5))
    with pytest.raises(BlobError, match=r"^cases 5-8: number 7 is damaged; restore it$"):
        ordered(cluster, [Task("cases 5-8", chores.refuse, (7,))])
    with pytest.raises(UnavailableError, match=r"^case 7 ended its worker 3 times"):
        ordered(cluster, [Task("case 7", chores.die, (7,))])
    with pytest.raises(MedloopError, match=r"^shard 1: its result cannot be sent between processes"):
        ordered(cluster, [Task("shard 1", chores.unsendable, (1,))])


def test_stopping_ends_the_actor_and_the_next_run_works(cluster: Workers[RayWorker], tmp_path: Path) -> None:
    mark = tmp_path / "begun"

    def check() -> None:
        if mark.exists():
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        ordered(cluster, [Task("long", chores.forever, (str(mark),))], check=check)
    assert ordered(cluster, [Task("short", chores.square, (3,))]) == [9]


def test_a_worker_of_another_version_is_refused(cluster: Workers[RayWorker], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_version", "medloop 0.0.9 (1234abcd)")
    with pytest.raises(ConflictError, match=r"^one: A worker on .* is of another version: medloop .* where medloop 0\.0\.9"):
        ordered(cluster, [Task("one", chores.square, (1,))])


def test_a_cluster_of_ones_own_listens_on_loopback_alone_and_wants_its_token(
    cluster: Workers[RayWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    address = str(ray.get_runtime_context().gcs_address)
    host, port = address.split(":")
    assert host == "127.0.0.1"
    assert listening()[int(port)] <= {"0100007F", "0000000000000000FFFF00000100007F"}
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    with pytest.raises(ForbiddenError, match=f"The Ray cluster at {address} does not take this token; set RAY_AUTH_TOKEN"):
        require_token_checked(address)
    assert not os.environ.get("RAY_ADDRESS")
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_a_second_cluster_in_the_same_process_is_refused(cluster: Workers[RayWorker]) -> None:
    with pytest.raises(ConflictError, match="works on a Ray cluster already"):
        ordered(on_ray(LOCAL, 1), [Task("one", chores.square, (1,))])


@pytest.mark.parametrize("address", ["10.0.0.3", "ray://10.0.0.3:10001", "head:port", "head:0", ":6379", "auto"])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(SettingError, match="A Ray address is local, or HOST:PORT of the cluster's head"):
        checked_address(address, {"RAY_AUTH_TOKEN": "secret"})


def test_an_address_without_a_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingError, match=r"^The Ray address 10\.0\.0\.3:6379 needs the cluster's token, there is none; set RAY_AUTH_TOKEN"
    ):
        placement_of({"MEDLOOP_RAY": "10.0.0.3:6379", "HOME": str(tmp_path)})
    (tmp_path / "token").write_text("secret\n")
    told = {"MEDLOOP_RAY": "10.0.0.3:6379", "HOME": str(tmp_path), "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")}
    assert placement_of(told, processes=3) == Placement(3, "10.0.0.3:6379")
    assert placement_of(told, ray="").is_here


def test_without_ray_an_address_is_refused_with_the_name_of_the_extra() -> None:
    code = (
        "import sys; sys.modules['ray'] = None; import importlib.util as u; u.find_spec = lambda name: None\n"
        "from medloop.execution.placement import placement_of\n"
        "from medloop.core.errors import MedloopError\n"
        "try: placement_of({}, ray='local')\n"
        "except MedloopError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "Ray is not installed; pip install 'medloop[distributed]', on every machine\n"


@pytest.mark.parametrize("given", ["-1", "many", "5000"])
def test_a_number_of_processes_that_cannot_be_is_refused(given: str) -> None:
    with pytest.raises(SettingError, match=given):
        placement_of({"MEDLOOP_PROCESSES": given})
