"""Every test that takes `store` runs twice: on SQLite and on a private PostgreSQL server."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from medloop.store.store import Store

from ..postgres import empty_database


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an empty store, to be copied."""
    folder = tmp_path_factory.mktemp("template") / "project"
    Store.create(folder).close()
    return folder


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    folder = tmp_path / "project"
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("sqlite_template"), folder)
        made = Store.open(folder)
    else:
        url = request.getfixturevalue("postgres_url")
        empty_database(url)
        made = Store.create(folder, url=url)
    yield made
    made.close()


@pytest.fixture
def sqlite_store(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    """An empty store on SQLite only, for what concerns its file."""
    shutil.copytree(sqlite_template, tmp_path / "project")
    made = Store.open(tmp_path / "project")
    yield made
    made.close()
