"""A private PostgreSQL server for the tests that need one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from medloop.store.tables import metadata


def _as_postgres(*command: str) -> None:
    """PostgreSQL refuses to run as root; elsewhere the server runs as the user of the tests."""
    prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *command], check=True, capture_output=True, text=True, cwd="/")


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.skip("PostgreSQL's initdb is not installed")
    return (found[-1] if found else Path(str(on_path))).parent


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A medloop database on a server of its own; tests empty it with `empty_database`."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="medloop-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    data = folder / "data"
    _as_postgres(str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off -c max_connections=50"
    _as_postgres(str(binaries / "pg_ctl"), "-D", str(data), "-l", str(folder / "log"), "-w", "-o", options, "start")
    try:
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        _as_postgres(str(binaries / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


def empty_database(url: str) -> None:
    """Remove all rows, which the triggers would refuse to anybody but a superuser replaying a replica."""
    engine = create_engine(url)
    with engine.begin() as connection:
        if inspect(connection).has_table("events"):
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY"))
    engine.dispose()
