"""The matrix and the retention rule over REST."""

from datetime import UTC, datetime, timedelta

from medloop.core.records import time_text
from medloop.loop.data.retention import remove_due
from medloop.loop.foundation.configuring import configure


def test_a_project_without_models_has_an_empty_matrix_and_its_filling_is_a_job(site) -> None:
    found = site.client.get(f"{site.url}/matrix").json()
    assert (found["rows"], found["notes"]) == ([], ["no model yet"])
    assert "label" in found["offered"]
    first = site.client.post(f"{site.url}/matrix/fill", json={}).json()
    assert site.client.post(f"{site.url}/matrix/fill", json={}).json() == first
    assert site.client.get(f"{site.url}/matrix?by=colour").status_code == 422


def test_a_removed_image_is_said_wherever_its_case_is_opened(site) -> None:
    assert site.client.post(f"{site.url}/retention/remove", json={}).status_code == 422  # without a rule
    configure(site.workspace, settings={"retention_days": 30})
    later = time_text(datetime.now(UTC) + timedelta(days=31))
    assert site.client.get(f"{site.url}/retention").json()["due"] == []
    remove_due(site.workspace.reload(), actor="test", at=later)
    (gone, *_) = site.client.get(f"{site.url}/retention").json()["removed"]
    url = f"{site.url}/cases/{gone['case_id']}"
    assert site.client.get(url).json()["notes"][-1].startswith("image removed on")
    for said in (site.client.get(f"{url}/voxels"), site.client.get(f"{url}/thumbnail"), site.client.post(f"{url}/open", json={})):
        assert (said.status_code, said.json()["error"]["code"]) == (404, "image_removed")
    assert site.client.post(f"{site.url}/next", json={}).status_code in (200, 204)
    assert site.client.post(f"{site.url}/retention/remove", json={}).json()["removed"] == []
