"""Places to look at, over the wire."""

import numpy as np
import pytest

from medloop.core.records import Model, Prediction, Snapshot, new_id, now
from medloop.images.encode import encode_mask

SHAPE = (12, 10, 8)


@pytest.fixture
def doubtful(site) -> str:
    """Address of an open assignment whose proposal is in doubt on slices 5 and 2."""
    case_id = site.client.get(f"{site.url}/cases").json()["rows"][0]["id"]
    doubt = np.zeros(SHAPE, np.uint8)
    doubt[2:8, 2:8, 5], doubt[2:4, 2:4, 2] = 255, 255
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="0" * 64, created_at=now())
    model = Model(id=new_id("model"), index=1, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now())
    blobs = site.workspace.store.blobs
    prediction = Prediction(
        id=new_id("prediction"),
        case_id=case_id,
        model_id=model.id,
        mask=blobs.put(encode_mask(np.zeros(SHAPE, np.uint8))),
        uncertainty=blobs.put(encode_mask(doubt)),
        probabilities=(1.0, 0.0, 0.0),
        features=None,
        scores={},
        created_at=now(),
    )
    with site.workspace.store.write("test") as tx:
        for record in (snapshot, model, prediction):
            tx.add(record)
    opened = site.client.post(f"{site.url}/cases/{case_id}/open", json={}).json()
    return f"{site.url}/assignments/{opened['assignment']['id']}"


def test_places_are_listed_and_visits_logged(site, doubtful: str) -> None:
    listed = site.client.get(f"{doubtful}/places").json()
    assert [(p["number"], p["kind"], p["axis"], p["start"][2], p["visited"]) for p in listed["places"]] == [
        (0, "slice", 2, 5, False),
        (1, "slice", 2, 2, False),
    ]
    assert (listed["next"], listed["visits"]) == (0, [])
    site.client.patch(f"{doubtful}/draft", json={"base_revision": 0, "runs": [[5 * 120, 3, 1]]})
    visit = site.client.post(f"{doubtful}/places/0/visited", json={}).json()
    assert (visit["number"], visit["suggested"], visit["changed"], visit["revision"]) == (0, 0, True, 1)
    after = site.client.get(f"{doubtful}/places").json()
    assert (after["next"], after["visits"], after["places"][0]["changed"]) == (1, [visit], True)


@pytest.mark.parametrize(("number", "status"), [("2", 404), ("-1", 422), ("x", 422), (str(2**40), 422)])
def test_a_place_that_does_not_exist_is_refused(site, doubtful: str, number: str, status: int) -> None:
    assert site.client.post(f"{doubtful}/places/{number}/visited", json={}).status_code == status


def test_a_case_without_a_model_has_no_places(site) -> None:
    url = f"{site.url}/assignments/{site.opened()['assignment']['id']}"
    assert site.client.get(f"{url}/places").json() == {"places": [], "next": None, "visits": []}
