"""Flat pictures, as QuPath fetches, infers on and submits them."""

import io
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image as Picture

from medloop.core.records import Annotation, Case, Model, Prediction, Snapshot, new_id, now
from medloop.images.encode import encode_mask
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.workspace import Workspace
from medloop.server.app import create_app
from tests.server.conftest import QUICK
from tests.server.monailabel.conftest import Surface, on_a_socket


@pytest.fixture
def pictures(tmp_path: Path) -> Iterator[Surface]:
    """A project of one picture of 40 × 30 pixels, with a proposal of a block in it."""
    (tmp_path / "in").mkdir()
    pixels = np.random.default_rng(1).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    Picture.fromarray(pixels).save(tmp_path / "in" / "slide.png")
    with Workspace.create(tmp_path / "p", name="Slides", kind="segmentation", labels=["tumour", "stroma"]) as workspace:
        import_dataset(workspace, tmp_path / "in")
        mask = np.zeros((40, 30, 1), np.uint8)
        mask[5:20, 4:16] = 1
        _propose(workspace, mask)
        with on_a_socket(create_app(tmp_path / "p", QUICK)) as port:
            yield Surface(port, workspace)


def _propose(workspace: Workspace, mask: np.ndarray) -> None:
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="0" * 64, created_at=now())
    model = Model(id=new_id("model"), index=1, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now())
    with workspace.store.write("test") as tx:
        made = Prediction(
            id=new_id("prediction"),
            case_id=tx.find(Case)[0].id,
            model_id=model.id,
            mask=workspace.store.blobs.put(encode_mask(mask)),
            uncertainty=None,
            probabilities=(0.5, 0.5),
            features=None,
            scores={},
            created_at=now(),
        )
        for record in (snapshot, model, made):
            tx.add(record)


def test_a_picture_is_fetched_as_a_picture(pictures: Surface) -> None:
    got = pictures.get(f"/datastore/image?image={pictures.case.name}")
    assert got.headers["content-type"] == "image/png"
    assert Picture.open(io.BytesIO(got.body)).size == (40, 30)


def test_outlines_that_come_back_are_the_mask_that_went_out(pictures: Surface) -> None:
    body = {"level": 0, "location": [0, 0], "size": [0, 0], "tile_size": [1024, 1024], "min_poly_area": 30, "params": {"max_workers": 1}}
    got = pictures.send_json("POST", f"/infer/wsi/segmentation?output=asap&image={pictures.case.name}", body)
    root = ElementTree.fromstring(got.body)
    corners = {(int(one.get("X")), int(one.get("Y"))) for one in root.iter("Coordinate")}
    assert corners == {(5, 4), (20, 4), (20, 16), (5, 16)}
    saved = pictures.send_form("PUT", f"/datastore/label?image={pictures.case.name}", {"params": {}}, label=("/tmp/a.xml", got.body))
    assert saved.status == 200
    with pictures.workspace.store.read() as tx:
        made = tx.find(Annotation)[0]
    kept = load_mask(pictures.workspace.store.blobs, made, pictures.case).array
    assert (kept[5:20, 4:16] == 1).all()
    assert kept.sum() == 15 * 12
    assert made.annotated == (1,)
    part = pictures.send_form(
        "POST",
        f"/infer/wsi_v2/segmentation?output=json&image={pictures.case.name}",
        {"wsi": {"location": [10, 0], "size": [5, 30], "min_poly_area": 0}},
    )
    assert {tuple(point[:2]) for point in part.json["elements"][0]["points"]} == {(10, 4), (15, 4), (15, 16), (10, 16)}


def test_outlines_of_other_classes_and_hostile_files_are_refused(pictures: Surface) -> None:
    square = "".join(f'<Coordinate Order="0" X="{x}" Y="{y}"/>' for x, y in ((1, 1), (9, 1), (9, 9), (1, 9)))
    outline = '<Annotation Name="a" Type="Polygon" PartOfGroup="{}"><Coordinates>' + square + "</Coordinates></Annotation>"
    for content in (
        outline.format("liver"),
        "<Annotations>" + outline.format("tumour") + outline.format("stroma") + "</Annotations>",
        "<Annotations/>",
        "<a",
        '<!DOCTYPE x [<!ENTITY a "b">]>' + outline.format("tumour"),
    ):
        files = {"label": ("a.xml", content.encode())}
        assert pictures.send_form("PUT", f"/datastore/label?image={pictures.case.name}", {"params": {}}, **files).status == 422
