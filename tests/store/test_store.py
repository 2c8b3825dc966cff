import json
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from medloop.core.errors import ConflictError, FormatError, MedloopError, NotFoundError, SettingError
from medloop.core.records import Case, Project
from medloop.store.store import DATABASE_FILE, SETTINGS_FILE, Store
from tests.store import samples


def test_what_was_written_is_there_after_closing_and_opening(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
    store.close()
    again = Store.open(store.folder)
    with again.read() as tx:
        assert [p.name for p in tx.find(Project)] == ["Liver"]
    again.close()


def test_a_folder_holds_one_project(store: Store) -> None:
    with pytest.raises(ConflictError, match="already holds a medloop project"):
        Store.create(store.folder)


def test_a_database_in_use_is_not_taken_for_a_second_project(store: Store, tmp_path: Path) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx)
    url = store.database.url.render_as_string(hide_password=False)
    with pytest.raises(ConflictError, match="database already holds"):
        Store.create(tmp_path / "second", url=url)
    assert not (tmp_path / "second" / SETTINGS_FILE).exists()


def test_a_folder_without_a_project_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="holds no medloop project; make one with: medloop init"):
        Store.open(tmp_path)


def test_a_project_whose_database_is_gone_is_not_made_anew(sqlite_store: Store) -> None:
    sqlite_store.close()
    (sqlite_store.folder / DATABASE_FILE).unlink()
    with pytest.raises(NotFoundError, match=r"restore a backup made with: medloop backup$"):
        Store.open(sqlite_store.folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_damaged_settings_file_says_how_it_should_look(sqlite_store: Store, content: str) -> None:
    (sqlite_store.folder / SETTINGS_FILE).write_text(content)
    with pytest.raises(FormatError, match="is damaged"):
        Store.open(sqlite_store.folder)


@pytest.mark.parametrize("url", ["mysql://localhost/x", "nonsense"])
def test_other_databases_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingError):
        Store.create(tmp_path / "project", url=url)


def test_a_folder_may_be_moved(sqlite_store: Store, tmp_path: Path) -> None:
    with sqlite_store.write("me") as tx:
        samples.add_basics(tx, "a")
    sqlite_store.close()
    moved = Store.open(sqlite_store.folder.rename(tmp_path / "moved"))
    with moved.read() as tx:
        assert tx.count(Case) == 1
    moved.close()


def test_only_the_owner_may_read_the_database_url(store: Store) -> None:
    file = store.folder / SETTINGS_FILE
    assert file.stat().st_mode & 0o077 == 0
    assert json.loads(file.read_text())["format"] == 1


def test_opening_sweeps_what_a_killed_writer_left(sqlite_store: Store) -> None:
    leftover = sqlite_store.folder / "blobs" / "tmp" / "half"
    leftover.write_bytes(b"half")
    Store.open(sqlite_store.folder).close()
    assert not leftover.exists()


def test_the_store_needs_neither_torch_nor_alembic_to_be_imported() -> None:
    code = "import sys, medloop.store.store; print(sorted({'torch', 'monai', 'alembic', 'scipy'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == "[]"


@pytest.mark.parametrize("written", ["99", "3", '"1"', "0", "null", "1.0", "true"])
def test_a_project_of_a_newer_format_is_refused_in_words(sqlite_store: Store, written: str) -> None:
    (sqlite_store.folder / "medloop.json").write_text(f'{{"format": {written}, "url": null}}')
    with pytest.raises(MedloopError) as refused:
        Store.open(sqlite_store.folder)
    newer = written in ("99", "3")
    assert (f"format {written}, this one knows up to 2" in str(refused.value)) is newer
    assert ("is damaged" in str(refused.value)) is not newer
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "hunter2",
        "postgresql:hunter2@h/d",
        "postgresql://u:hunter2@h:port/d",
        "postgresql://u:p@hunter2@h/d",
        "postgresql://u:p@@hunter2/d",
        "hunter2://u:x@h/d",
        "mysql://u:hunter2@h/d",
        " postgresql://u:hunter2@h/d",
        "postgresql+hunter2://u:x@h/d",
        "postgresql://u:hunter2@[::1/d",
        "postgresql://u:x@h:hunter2@h/d",
    ],
)
def test_a_url_that_is_refused_is_shown_nowhere(sqlite_store: Store, tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture) -> None:
    def opened() -> None:
        (sqlite_store.folder / "medloop.json").write_text(json.dumps({"format": 1, "url": url}))
        Store.open(sqlite_store.folder)

    for attempt in (lambda: Store.create(tmp_path / "new", url=url), opened):
        with pytest.raises(MedloopError) as refused:
            attempt()
        shown = "".join(traceback.format_exception(refused.value)) + caplog.text
        assert "hunter2" not in shown
    assert not (tmp_path / "new").exists()


def test_a_settings_file_that_is_damaged_keeps_its_password_to_itself(sqlite_store: Store) -> None:
    (sqlite_store.folder / "medloop.json").write_text('{"format": 1, "url": "postgresql://u:hunter2@h/d"')
    with pytest.raises(MedloopError) as refused:
        Store.open(sqlite_store.folder)
    assert "hunter2" not in "".join(traceback.format_exception(refused.value))
