import pytest
from sqlalchemy import text

from medloop.core.accounts import Account
from medloop.core.errors import ConflictError, InputError, NotFoundError, StateError
from medloop.core.records import Annotation, Annotator, Assignment, Case, Job, Project, Round, now
from medloop.core.states import JobState, RoundState
from medloop.store import audit
from medloop.store.store import Store
from tests.store import samples


def test_an_exception_leaves_neither_row_nor_event(store: Store) -> None:
    def stop_half_way() -> None:
        with store.write("me") as tx:
            samples.add_basics(tx, "a")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        stop_half_way()
    with store.read() as tx:
        assert (tx.count(Case), tx.events()) == (0, [])


def test_a_record_is_added_once(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
    with pytest.raises(ConflictError, match="case 'case-a' exists already"), store.write("me") as tx:
        tx.add(samples.case("a"))


def test_a_refused_row_takes_its_event_back_even_when_the_caller_goes_on(store: Store) -> None:
    twin = Annotator(id="another", name="ann", created_at=now())
    with store.write("me") as tx:
        samples.add_basics(tx)
        with pytest.raises(ConflictError):
            tx.add(twin)
        tx.add(samples.annotator("bea"))
    assert audit.verify(store, blobs=False).ok
    with store.read() as tx:
        assert [a.name for a in tx.find(Annotator)] == ["ann", "bea"]


def test_a_record_that_refers_to_nothing_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="refers to one that does not exist"), store.write("me") as tx:
        tx.add(samples.assignment("nowhere"))


def test_a_change_keeps_old_and_new_values_in_its_event(store: Store) -> None:
    with store.write("me") as tx:
        tx.add(samples.first_round())
        changed = tx.change(Round, "round-1", verb="ask", fields={"state": RoundState.ANNOTATING, "message": "go"})
        event = tx.events()[-1]
    assert changed.state is RoundState.ANNOTATING
    assert (event.verb, event.noun, event.noun_id) == ("ask", "round", "round-1")
    assert event.body["changed"] == {"state": {"from": "querying", "to": "annotating"}, "message": {"from": "", "to": "go"}}


def test_a_change_to_the_same_values_is_no_event(store: Store) -> None:
    with store.write("me") as tx:
        tx.add(samples.first_round())
        before = len(tx.events())
        tx.change(Round, "round-1", verb="ask", fields={"message": ""})
        assert len(tx.events()) == before


def test_settings_of_a_project_may_change(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx)
        settings = samples.PROJECT.settings.__class__(batch_size=9)
        assert tx.change(Project, "project-1", verb="set", fields={"settings": settings}).settings.batch_size == 9
        assert tx.get(Project, "project-1").settings.batch_size == 9


def test_what_is_immutable_is_not_changed(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
        tx.add(samples.annotation())
        with pytest.raises(StateError, match="annotation is immutable"):
            tx.change(Annotation, "annotation-a-ann-1", verb="edit", fields={"tag": 1})
        tx.add(samples.assignment())
        with pytest.raises(StateError, match="case_id of a assignment cannot change"):
            tx.change(Assignment, "assignment-a-1", verb="edit", fields={"case_id": "case-b"})


def test_changing_what_does_not_exist_is_not_found(store: Store) -> None:
    with store.write("me") as tx, pytest.raises(NotFoundError, match="no round 'round-9'"):
        tx.change(Round, "round-9", verb="ask", fields={"message": "x"})


def test_jobs_are_not_added_as_records(store: Store) -> None:
    job = Job(id="j", kind="k", payload={}, state=JobState.QUEUED, created_at=now())
    with store.write("me") as tx, pytest.raises(InputError, match="Jobs are not added"):
        tx.add(job)


def test_the_database_itself_refuses_to_change_immutable_rows(store: Store) -> None:
    with store.write("me") as tx:
        samples.add_basics(tx, "a")
        for record in (samples.snapshot(), samples.model(), samples.prediction("a"), samples.query("a"), samples.annotation()):
            tx.add(record)
        for record in (samples.evaluation(), samples.descriptor("a"), samples.assignment(), samples.provenance(), samples.withdrawal()):
            tx.add(record)
        for record in (samples.truth(), samples.live_choice(), samples.review(), samples.consensus()):
            tx.add(record)
        for record in (samples.routed(), samples.gold(), samples.gold_reading()):
            tx.add(record)
    for table in ("events", *samples.IMMUTABLE):
        for statement in (f"UPDATE {table} SET {'actor' if table == 'events' else 'id'} = 'x'", f"DELETE FROM {table}"):
            with pytest.raises(StateError, match=f"rows of {table} are immutable"), store.database.writing() as connection:
                connection.execute(text(statement))


def test_a_write_inside_a_write_is_refused_instead_of_waiting_for_itself(store: Store) -> None:
    with store.write("me"), pytest.raises(StateError, match="already open in this thread"):
        store.jobs.enqueue("train", {})


def test_an_event_without_a_row_joins_the_chain(store: Store) -> None:
    with store.write("me") as tx:
        event = tx.record("export", "project", "project-1", {"files": ("a", "b")})
    assert event.body == {"files": ["a", "b"]}
    assert audit.verify(store, blobs=False).ok


def test_no_event_holds_the_hash_of_a_password_and_the_audit_still_covers_it(store: Store) -> None:
    with store.write("cli") as tx:
        tx.add(samples.account())
        changed = tx.change(Account, "account-Ann", verb="reset", fields={"password": "$argon2id$other"})
    with store.read() as tx:
        told = tx.events()
    assert changed.password == "$argon2id$other"
    assert told[-1].body["changed"] == {"password": {}}
    assert "argon2" not in str(told)
    assert audit.verify(store).ok
    with store.database.writing() as connection:
        connection.execute(text("UPDATE accounts SET password = '$argon2id$kept'"))
    assert not audit.verify(store).ok
