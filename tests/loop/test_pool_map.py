"""The pool as a map: what is laid out, by what, when it is out of date, and what of it somebody may see."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import InputError, NotFoundError, SettingError
from medloop.core.records import Case, Prediction
from medloop.loop.foundation import vector_rows as rows_module
from medloop.loop.foundation.arrays import store_features
from medloop.loop.foundation.job_kinds import MapPool, request_job
from medloop.loop.foundation.vector_rows import VectorsOf, vector_rows
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview import pool_map
from medloop.loop.overview.map_points import Sight, map_of, map_table, map_words, shown_map
from medloop.loop.overview.pool_map import kept_map, make_map, why_outdated
from medloop.loop.querying.by_hand import query_by_hand
from medloop.loop.worker import drain

from .conftest import FAST, MakeWorkspace
from .made_up import add_cases, add_model, add_prediction, every_case

PLAIN = dataclasses.replace(FAST, cold_start="descriptors")


@pytest.fixture
def seen(make_workspace: MakeWorkspace) -> Workspace:
    """Seven training cases and a test case, two of them annotated; a model has seen all."""
    workspace = make_workspace(["train"] * 7 + ["test"], labelled=2, settings=PLAIN)
    model = add_model(workspace, 1)
    for n, case in enumerate(every_case(workspace)):
        add_prediction(workspace, model, case, entropy=0.1 * n)
    return workspace


def test_before_there_is_a_model_the_images_are_described_and_laid_out(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, settings=PLAIN)
    made = make_map(workspace)
    assert (made.described, made.cases, made.by) == ("images", 4, "from the images by a fixed rule")
    assert made.explained is not None
    assert 0 < sum(made.explained) <= 1
    kept = kept_map(workspace)
    assert kept is not None
    assert kept[0] == made
    assert sorted(one.decode() for one in kept[1]["id"]) == sorted(case.id for case in every_case(workspace))
    assert why_outdated(workspace, made) == ""


def test_cases_lie_along_the_axis_in_which_their_embeddings_differ(seen: Workspace) -> None:
    shown = map_of(seen)
    assert shown.made.explained == pytest.approx((1.0, 0.0), abs=1e-6)
    assert [p.x for p in sorted(shown.points, key=lambda p: p.name)] == pytest.approx(np.linspace(0, 1, 8), abs=1e-4)
    assert {p.y for p in shown.points} == {0.5}
    assert "100% of the variance" in map_words(shown)[0]


def test_points_say_state_labels_round_and_group(seen: Workspace) -> None:
    cases = every_case(seen)
    made = query_by_hand(seen, [cases[4].id], by="Ann")
    by_name = {p.name: p for p in map_of(seen).points}
    assert [by_name[f"case{n:02d}"].state for n in (0, 3, 4)] == ["annotated", "unlabelled", "queried"]
    assert by_name["case04"].round == made.round
    assert set(by_name["case00"].label.split(" + ")) <= {"large", "small"}
    assert (by_name["case07"].split, by_name["case03"].label) == ("test", "")
    columns, lines = map_table(map_of(seen))
    assert columns[0] == "case"
    assert len(lines) == 8


def test_what_somebody_may_not_see_is_not_on_their_map(seen: Workspace) -> None:
    first, second = every_case(seen)[:2]
    make_map(seen)
    shown = shown_map(seen, sight=Sight(hidden={first.id, second.id}, unread={second.id}))
    assert shown is not None
    by_id = {p.id: p for p in shown.points}
    assert (by_id[first.id].label, by_id[first.id].state) == ("", "annotated")
    assert (by_id[second.id].label, by_id[second.id].state, by_id[second.id].split) == ("", "unlabelled", "train")


def test_a_map_is_out_of_date_once_others_describe_the_cases(seen: Workspace) -> None:
    made = make_map(seen)
    add_cases(seen, 1)
    case = every_case(seen)[0]
    with seen.store.read() as tx:
        model = tx.live_model()
    assert model is not None
    assert why_outdated(seen, made) == ""
    add_prediction(seen, model, case)
    assert why_outdated(seen, made) == "cases were described since"
    later = add_model(seen, 2)
    add_prediction(seen, later, case)
    shown = shown_map(seen)
    assert shown is not None
    assert shown.outdated == "it was made by model 1, the cases are described by model 2 now"


def test_of_a_large_pool_a_sample_is_shown_and_annotated_cases_come_first(seen: Workspace) -> None:
    make_map(seen)
    shown, again = shown_map(seen, most=4), shown_map(seen, most=4)
    assert shown is not None
    assert again is not None
    assert [p.id for p in shown.points] == [p.id for p in again.points]
    assert sum(p.state == "annotated" for p in shown.points) == 2
    assert shown.sampled == "4 of 8 cases are shown: 2 of 2 annotated, skipped, flagged or queried ones, 2 of 6 others, drawn at random"


def test_the_worker_makes_the_map(seen: Workspace) -> None:
    request_job(seen, MapPool("images", "tsne"), "map")
    drain(seen)
    kept = kept_map(seen)
    assert kept is not None
    assert (kept[0].layout, kept[0].described, kept[0].explained) == ("tsne", "images", None)


def test_what_cannot_be_mapped_is_refused(make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = make_workspace(["train"] * 3, settings=PLAIN)
    with pytest.raises(NotFoundError, match="No model is in use"):
        make_map(workspace, described="model")
    monkeypatch.setattr(pool_map, "MOST_TSNE", 2)
    with pytest.raises(SettingError, match="at most 2 cases, got 3"):
        make_map(workspace, layout="tsne")
    with pytest.raises(InputError, match="No case on the map has 'site'"):
        map_of(workspace, by="site")
    empty = make_workspace([], settings=PLAIN, name="empty")
    with pytest.raises(InputError, match="needs 3 cases with a vector, got 0"):
        make_map(empty)
    assert shown_map(empty) is None


def test_a_lost_map_and_lost_rows_are_made_again(seen: Workspace) -> None:
    made = make_map(seen)
    folder = seen.work_folder
    (folder / "map" / made.file).write_bytes(b"\x00")
    assert kept_map(seen) is None
    for file in folder.glob("vectors/*/rows-*"):
        file.write_bytes(b"\x00")
    assert make_map(seen).cases == 8


def vectors_of(workspace: Workspace) -> VectorsOf:
    with workspace.store.read() as tx:
        model = tx.live_model()
    assert model is not None
    return VectorsOf(model_id=model.id)


def test_only_vectors_that_came_since_are_read_whatever_file_they_fall_into(seen: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "FILE_ROWS", 3)
    of, read = vectors_of(seen), list[str]()
    real = rows_module._vector
    monkeypatch.setattr(rows_module, "_vector", lambda blobs, name: read.append(name) or real(blobs, name))  # type: ignore[func-returns-value]
    first = vector_rows(seen, of)
    assert (len(first), len(first.rows), len(read)) == (8, 3, 8)
    with seen.store.read() as tx:
        model = tx.live_model()
    assert model is not None
    again = every_case(seen)[0]
    newer = add_prediction(seen, model, again, entropy=9.0)
    second = vector_rows(seen, of)
    assert read[8:] == [newer.features]
    found, numbers = second.find([again.id, "case-nowhere"])
    assert found.tolist() == [True, False]
    assert second.take(numbers)[0, 0] == pytest.approx(9.0)
    assert len(second) == 8
    pieces = list(second.pieces())
    assert sorted(one.decode() for ids, _ in pieces for one in ids) == sorted(case.id for case in every_case(seen))


def test_a_damaged_vector_costs_its_case_until_it_is_restored(seen: Workspace) -> None:
    with seen.store.read() as tx:
        one = tx.find(Prediction)[3]
    assert one.features is not None
    path = seen.store.blobs.path(one.features) if hasattr(seen.store.blobs, "path") else next(Path(seen.folder).rglob(one.features))
    whole = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(b"\x00")
    assert len(vector_rows(seen, vectors_of(seen))) == 7
    path.write_bytes(whole)
    assert len(vector_rows(seen, vectors_of(seen))) == 8


def test_vectors_of_another_length_are_left_out_and_counted(seen: Workspace) -> None:
    case: Case = every_case(seen)[0]
    with seen.store.write("worker") as tx:
        old = tx.find(Prediction)[0]
        odd = store_features(seen.store.blobs, np.arange(7.0))
        tx.add(dataclasses.replace(old, id="prediction-odd", case_id=case.id, features=odd))
    assert "1 vector of another length left out" in make_map(seen).notes


def test_labels_that_were_not_looked_up_and_cases_without_a_vector_are_said(seen: Workspace) -> None:
    make_map(seen)
    add_cases(seen, 1)
    first, second = (shown_map(seen, masks=n) for n in (1, 1))
    assert first is not None
    assert second is not None
    assert [sum(p.label != "" for p in one.points) for one in (first, second)] == [1, 2]
    assert (first.unread, second.unread) == (1, 0)
    assert map_words(first)[1:] == (
        "1 case of 9 without a vector not on the map",
        "labels of 1 annotated case are not read so far: look again for the next ones",
    )
    assert map_of(seen).unread == 0


def test_a_gold_case_of_an_open_round_does_not_stand_out_as_queried(seen: Workspace) -> None:
    case = every_case(seen)[4]
    query_by_hand(seen, [case.id], by="Ann")
    make_map(seen)
    shown = shown_map(seen, sight=Sight(hidden={case.id}, unread={case.id}))
    assert shown is not None
    assert {p.id: (p.state, p.round) for p in shown.points}[case.id] == ("unlabelled", None)
