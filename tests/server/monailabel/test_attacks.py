"""What a client must not lose, break or learn: labels that a later file does not name, files of others, notes that no answer can hold."""

import json

import numpy as np
import pytest

from medloop.core.records import Annotation
from medloop.loop.annotating import sent_saving
from medloop.loop.annotating.annotations import choose_case
from medloop.loop.annotating.drafts import Edit, save_patch
from medloop.loop.foundation.configuring import configure
from tests.server.monailabel.conftest import Surface
from tests.server.monailabel.test_labels import annotations, as_nifti, drawn, save
from tests.server.monailabel.test_people import MASK, town  # noqa: F401  # a fixture


def put(surface: Surface, params: dict | None = None, *, tag: str = "final", mask: bytes = MASK):
    path = f"/datastore/label?image={surface.case.name}&tag={tag}"
    return surface.send_form("PUT", path, {"params": params or {}}, label=("label.bin", mask))


def test_a_file_that_does_not_name_a_drawn_label_does_not_replace_it(surface: Surface, tmp_path) -> None:
    both, small = drawn(1, 2), np.where(drawn(1, 2) == 2, 1, 0).astype(np.uint8)
    assert save(surface, as_nifti(tmp_path, surface.case, both), {}).status == 200
    alone = {"label_info": [{"name": "small", "idx": 1}]}
    refused = save(surface, as_nifti(tmp_path, surface.case, small), alone)
    assert refused.status == 409
    assert "an annotation with large" in refused.json["detail"]
    assert len(annotations(surface)) == 1
    named = {"label_info": [{"name": "small", "idx": 1}, {"name": "large", "idx": 2}]}
    assert save(surface, as_nifti(tmp_path, surface.case, small), named).status == 200  # whose absence is said
    assert save(surface, as_nifti(tmp_path, surface.case, small), alone).status == 200  # nothing of it is drawn any longer
    assert save(surface, as_nifti(tmp_path, surface.case, both), {}).status == 200
    assert save(surface, as_nifti(tmp_path, surface.case, small), {**alone, "replace": True}).status == 200


def test_edits_that_come_while_a_file_is_saved_are_not_closed_with_it(surface: Surface, monkeypatch: pytest.MonkeyPatch) -> None:
    def edited_then(*given, **named):
        opened = choose_case(*given, **named)
        save_patch(surface.workspace, opened.assignment.id, Edit(0, ((0, 5, 1),)))
        return choose_case(*given, **named)

    monkeypatch.setattr(sent_saving, "choose_case", edited_then)
    refused = put(surface)
    assert refused.status == 409
    assert "a draft of" in refused.json["detail"]
    assert annotations(surface) == []


def test_a_file_under_a_tag_stays_its_owners(town: dict[str, Surface]) -> None:  # noqa: F811
    ann, ada, name = town["Ann"], town["Ada"], town["Ann"].case.name
    nothing = bytes(len(MASK))
    assert put(ada, tag="version_1").status == 200
    kept = ada.get(f"/datastore/label?label={name}&tag=version_1").body
    assert put(ann, tag="version_1", mask=nothing).status == 403
    assert ann.send("DELETE", f"/datastore/label?id={name}&tag=version_1").status == 403
    assert ada.get(f"/datastore/label?label={name}&tag=version_1").body == kept
    assert put(ann, {"replace": True}, tag="version_1", mask=nothing).status == 200
    assert ada.send("DELETE", f"/datastore/label?id={name}&tag=version_1").status == 200


def test_a_file_under_a_tag_is_seen_by_its_owner_and_by_nobody_who_reads_blind(town: dict[str, Surface]) -> None:  # noqa: F811
    ann, vic, name = town["Ann"], town["Vic"], town["Ann"].case.name
    configure(ann.workspace, settings={"readings": 2, "blind": True}, actor="test")
    assert put(ann, {"remark": "on the left"}, tag="version_1").status == 200
    assert "on the left" not in vic.get("/datastore/?output=all").body.decode()
    assert "on the left" in ann.get("/datastore/?output=all").body.decode()
    assert ann.get(f"/datastore/label?label={name}&tag=version_1").status == 200


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud800"}'])
def test_a_note_that_no_answer_can_hold_is_refused(surface: Surface, text: str) -> None:
    fields = f'--B\r\nContent-Disposition: form-data; name="info"\r\n\r\n{text}\r\n--B--\r\n'.encode()
    path = f"/datastore/image/info?image={surface.case.name}"
    assert surface.send("PUT", path, fields, Content_Type="multipart/form-data; boundary=B").status == 422
    asked = json.dumps({"client_id": "\ud800"}).encode()
    assert surface.send("POST", "/activelearning/medloop", asked, Content_Type="application/json").status == 200
    assert surface.get("/datastore/?output=all").status == 200


def test_a_note_that_is_too_long_is_refused_before_the_label_is_saved(surface: Surface) -> None:
    assert put(surface, {"remark": "a" * 70_000}).status == 422
    with surface.workspace.store.read() as tx:
        assert tx.find(Annotation) == []
