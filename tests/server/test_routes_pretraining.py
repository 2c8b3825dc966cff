"""A start before the first annotation, over REST: asked for, refused, and reported."""

import shutil
from pathlib import Path

from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import drain

from .conftest import fill_project, serve_in_process


def test_pretraining_is_a_job_that_sets_the_start_and_is_asked_for_once(site) -> None:
    assert site.client.get(f"{site.url}/pretraining").json() == {"setting": "none", "refusal": "", "start": None}
    first = site.client.post(f"{site.url}/pretraining", json={"steps": 2})
    assert first.status_code == 200, first.text
    assert site.client.post(f"{site.url}/pretraining", json={}).json() == first.json()
    drain(site.workspace.reload())
    found = site.client.get(f"{site.url}/pretraining").json()
    assert (found["setting"], found["start"]["origin"]) == ("pool", "pool")
    assert found["start"]["words"].startswith("pretrained on 5 images of the pool, 2 steps, error ")


def test_what_cannot_be_is_refused_in_one_line_before_a_job_fails_of_it(tmp_path: Path) -> None:
    fill_project(tmp_path / "few", "segmentation", cases=3)
    for site in serve_in_process(tmp_path / "few"):
        for address, body, status, message in (
            ("", {}, 422, "Pretraining needs at least 4 images, got 3"),
            ("", {"steps": 1, "minutes": 1}, 422, "ends by steps or by minutes"),
            ("", {"steps": -1}, 422, ""),
            ("/transfer", {"from_project": site.workspace.project.id}, 422, "A project cannot start from itself"),
            ("/transfer", {"from_project": "project-none"}, 404, "No project project-none"),
        ):
            said = site.client.post(f"{site.url}/pretraining{address}", json=body)
            assert said.status_code in (status, 400), said.text
            assert message in said.text
        assert site.client.get(f"{site.url}/pretraining").json()["refusal"] == "Pretraining needs at least 4 images, got 3"
        assert site.client.get(f"{site.url}/jobs").json() == []


def test_another_projects_model_gives_its_encoder_and_the_report_says_what_was_mapped(
    trained_folder: Path, tag_folder: Path, tmp_path: Path, serve_folder
) -> None:
    root = tmp_path / "served"
    root.mkdir()
    for folder in (trained_folder, tag_folder):
        shutil.move(folder, root / folder.name)
    with serve_folder(root) as client, Workspace.open(root / tag_folder.name) as own, Workspace.open(root / trained_folder.name) as other:
        url = f"/api/v1/projects/{own.project.id}/pretraining"
        said = client.post(f"{url}/transfer", json={"from_project": other.project.id, "layers": "encoder"})
        assert said.status_code == 200, said.text
        drain(own)
        found = client.get(url).json()
        assert (found["setting"], found["start"]["source"]) == ("file", f"model 1 of {other.project.name}")
        hows = {line["name"].startswith("encoder."): line["how"] for line in found["start"]["layers"]}
        assert hows == {True: "as it is", False: "new"}
        without = client.post(f"/api/v1/projects/{other.project.id}/pretraining/transfer", json={"from_project": own.project.id})
        assert "has no model yet" in without.text
        configure(own.reload(), settings={"pretraining": "none"})
        assert client.get(url).json()["start"] is None
