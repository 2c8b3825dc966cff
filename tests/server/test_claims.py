"""One server per database, though a copied folder names the same one; and no lock outlives its holder."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from medloop.core.errors import ConflictError
from medloop.loop.foundation.workspace import Workspace
from medloop.server.processes.worker import work
from medloop.server.web.folders import Projects
from medloop.store import claims
from medloop.store.settings_file import HostSettings, write_host_settings
from medloop.store.store import Store
from tests.postgres import empty_database

from .conftest import wait_until


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """A project and a copy of its folder, both of which name the same database."""
    url = f"sqlite:///{tmp_path / 'one.sqlite'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        empty_database(url)
    Workspace.create(tmp_path / "first", name="p", kind="segmentation", labels=["a"], url=url).close()
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    return tmp_path / "first", tmp_path / "copy"


def test_a_second_server_on_one_database_is_refused_and_told_who_serves(copied: tuple[Path, Path]) -> None:
    first, copy = copied
    serving = Projects(first)
    with pytest.raises(ConflictError, match=rf"process {os.getpid()} on ") as refused:
        Projects(copy)
    assert "\n" not in str(refused.value)
    serving.close()
    Projects(copy).close()
    Projects(first).close()


def test_a_killed_server_holds_nothing(copied: tuple[Path, Path]) -> None:
    first, copy = copied
    program = (
        "import sys, time; from pathlib import Path; from medloop.server.web.folders import Projects\n"
        "held = Projects(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(first)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(ConflictError, match=f"process {holder.pid} on "):
            Projects(copy)
        holder.kill()

    def free() -> bool:
        try:
            Projects(copy).close()
        except ConflictError:
            return False
        return True

    assert wait_until(free)


@pytest.fixture
def on_postgres(postgres_url: str, tmp_path: Path) -> tuple[Path, Path]:
    empty_database(postgres_url)
    Workspace.create(tmp_path / "first", name="p", kind="segmentation", labels=["a"], url=postgres_url).close()
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    return tmp_path / "first", tmp_path / "copy"


@pytest.mark.postgres
def test_workers_and_commands_of_a_copy_are_refused_while_the_first_is_served(on_postgres: tuple[Path, Path]) -> None:
    """What they store would be missing where the project is served."""
    first, copy = on_postgres
    serving = Projects(first)
    with pytest.raises(ConflictError, match="this one is a copy"):
        Workspace.open(copy)
    with pytest.raises(ConflictError, match="this one is a copy"):
        work(copy, "worker-1", lambda: False)
    Workspace.open(first).close()
    stop = threading.Event()
    stop.set()
    work(first, "worker-1", stop.is_set)
    serving.close()
    Workspace.open(copy).close()


@pytest.mark.postgres
def test_a_session_that_was_cut_off_is_taken_again(on_postgres: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first, copy = on_postgres
    monkeypatch.setattr(claims, "LOOK_SECONDS", 0.02)
    serving = Projects(first)
    with Workspace.open(first) as workspace:
        cut_off(workspace.store)

        def held() -> bool:
            with workspace.store.database.reading() as connection:
                return bool(connection.execute(claims._HOLDER, {"key": claims.SERVER_LOCK}).first())

        assert wait_until(held)
        assert serving.get(workspace.project.id).project.name == "p"
    with pytest.raises(ConflictError):
        Projects(copy)
    serving.close()


@pytest.mark.postgres
def test_a_server_whose_database_was_taken_by_another_says_so(on_postgres: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first, copy = on_postgres
    monkeypatch.setattr(claims, "LOOK_SECONDS", 0.5)
    serving = Projects(first)
    project = serving.all()[0]
    cut_off(project.store)
    other = claims.claim_database(project.store.database, copy)  # quicker than the first

    def refused() -> bool:
        try:
            serving.get(project.project.id)
        except ConflictError as error:
            return "already serves" in str(error)
        return False

    assert wait_until(refused)
    assert serving.all() == []
    other.close()
    serving.close()


def cut_off(store: Store) -> None:
    """What a restart of PostgreSQL does to the server's session."""
    with store.database.writing() as connection:
        pid = connection.execute(text("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'medloop process%'")).scalar_one()
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})


def test_a_copy_with_a_database_of_its_own_is_another_project(copied: tuple[Path, Path], tmp_path: Path) -> None:
    first, _ = copied
    Workspace.create(tmp_path / "own", name="q", kind="segmentation", labels=["a"]).close()
    write_host_settings(tmp_path / "own", HostSettings(None))
    both = Projects(first), Projects(tmp_path / "own")
    for projects in both:
        projects.close()
