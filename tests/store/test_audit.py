import pytest
from sqlalchemy import insert, text

from medloop.core.records import Project, Round
from medloop.store import audit
from medloop.store.events import row_digest
from medloop.store.rows import to_row
from medloop.store.store import Store
from medloop.store.tables import projects
from tests.store import samples


def verify(store: Store, last_digest: str = "") -> audit.AuditReport:
    """Without blobs: the samples name some that do not exist."""
    return audit.verify(store, blobs=False, last_digest=last_digest)


@pytest.fixture
def history(store: Store) -> Store:
    """A store in which something has happened."""
    with store.write("me") as tx:
        samples.add_basics(tx, "a", "b")
        tx.add(samples.annotation("a"))
        tx.add(samples.first_round())
        tx.change(Round, "round-1", verb="ask", fields={"message": "go"})
        tx.add(samples.annotation("b"))
    return store


def tamper(store: Store, statement: str) -> audit.AuditReport:
    """Change rows past the triggers, as somebody with all rights on the database can."""
    assert verify(store).ok
    with store.database.writing() as connection:
        if store.database.is_sqlite:
            for table in ("events", *samples.IMMUTABLE):
                connection.execute(text(f"DROP TRIGGER {table}_refuse_update"))
                connection.execute(text(f"DROP TRIGGER {table}_refuse_delete"))
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement))
    report = verify(store)
    assert not report.ok
    return report


def test_an_untouched_history_is_whole(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
        last = tx.events()[-1]
    report = verify(store)
    assert (report.ok, report.events, report.first_bad, report.reason) == (True, 4, None, "")
    assert report.last_digest == last.digest


def test_a_row_written_with_fewer_settings_is_whole_before_and_after_a_change(store: Store) -> None:
    row = to_row(samples.PROJECT)
    settings = {name: value for name, value in row["settings"].items() if name != "cold_start"} | {"warm_start": True}
    early = {**row, "settings": settings}
    with store.write("me") as tx:
        tx.add(samples.TASK)
        told = tx.record("create", "project", row["id"], {"sha256": row_digest(early)})
    with store.database.writing() as connection:
        connection.execute(insert(projects), {**early, "event": told.seq})
    assert verify(store).ok
    with store.write("me") as tx:
        assert tx.get(Project, row["id"]).settings.warm_start == "all"
        tx.change(Project, row["id"], verb="rename", fields={"name": "Livers"})
    assert verify(store).ok


def test_a_project_with_the_older_names_of_its_settings_is_whole_before_and_after_a_change(store: Store) -> None:
    row = to_row(samples.PROJECT)
    early = {**row, "settings": {**row["settings"], "summed": "top", "guided": True, "right_reasons": 30.0, "pseudo_labels": True}}
    with store.write("me") as tx:
        tx.add(samples.TASK)
        added = tx.record("create", "project", row["id"], {"sha256": row_digest(early)})
    with store.database.writing() as connection:
        connection.execute(insert(projects), {**early, "event": added.seq})
    assert verify(store).ok
    with store.write("me") as tx:
        settings = tx.get(Project, row["id"]).settings
        assert (settings.aggregation, settings.interactive_network, settings.explanation_penalty) == ("top", True, 30.0)
        assert settings.unlabelled == "pseudo-labels"
        tx.change(Project, row["id"], verb="rename", fields={"name": "Livers"})
    assert verify(store).ok


def test_an_empty_history_is_whole(store: Store) -> None:
    assert verify(store).ok


def test_an_edited_event_is_found(history: Store) -> None:
    report = tamper(history, "UPDATE events SET actor = 'somebody else' WHERE seq = 3")
    assert (report.first_bad, report.reason) == (3, "event 3 was edited: its content does not match its digest")


def test_an_edited_event_with_a_new_digest_breaks_the_next_link(history: Store) -> None:
    report = tamper(history, f"UPDATE events SET digest = '{'0' * 64}' WHERE seq = 3")
    assert report.first_bad == 3


def test_a_removed_event_is_found(history: Store) -> None:
    report = tamper(history, "DELETE FROM events WHERE seq = 4")
    assert (report.first_bad, report.reason) == (5, "event 4 is missing: number 5 follows 3")


def test_events_cut_off_at_the_end_leave_rows_without_an_event(history: Store) -> None:
    report = tamper(history, "DELETE FROM events WHERE seq = 9")
    assert report.reason == "the annotation annotation-b-ann-1 has no event"


def test_an_edited_answer_is_found(history: Store) -> None:
    report = tamper(history, "UPDATE annotations SET effort_seconds = 1 WHERE id = 'annotation-a-ann-1'")
    assert (report.first_bad, report.reason) == (6, "the annotation annotation-a-ann-1 was edited: it does not match event 6")


def test_a_removed_answer_is_found(history: Store) -> None:
    report = tamper(history, "DELETE FROM annotations WHERE id = 'annotation-a-ann-1'")
    assert (report.first_bad, report.reason) == (6, "the annotation annotation-a-ann-1 of event 6 is gone")


def test_a_state_changed_behind_the_events_is_found(history: Store) -> None:
    report = tamper(history, "UPDATE rounds SET message = 'stop'")
    assert report.first_bad == 8


def test_a_row_that_makes_no_record_any_more_is_found(history: Store) -> None:
    report = tamper(history, "UPDATE rounds SET state = 'nonsense'")
    assert report.first_bad == 8
