"""`medloop pacs`: the commands against a real Orthanc, and what they refuse."""

import json
from pathlib import Path

from medloop.loop.project import Project

from ..dicom_series import IDENTITY, write_stack
from ..orthanc import Orthanc, write_sites
from .conftest import Medloop


def test_find_pull_and_push_say_what_they_did(medloop: Medloop, running_orthanc: Orthanc, tmp_path: Path) -> None:
    running_orthanc.empty()
    running_orthanc.put(sorted(write_stack(tmp_path / "files").iterdir()))
    project = tmp_path / "p"
    assert medloop("init", project, "--kind", "segmentation", "--label", "liver").status == 0
    said = medloop("pacs", "find", project, "--patient", IDENTITY)
    assert (said.status, "The servers are listed in" in said.err) == (1, True)
    write_sites(project, running_orthanc)
    found = json.loads(medloop("pacs", "find", project, "--server", "web", "--patient", IDENTITY, "--each-series", "--json").out)
    assert (found["more"], found["studies"][0]["instances"], found["series"][0]["modality"]) == (False, 4, "CT")
    table = medloop("pacs", "find", project, "--server", "dimse", "--patient", IDENTITY)
    assert found["studies"][0]["study"] in table.out
    said = medloop("pacs", "pull", project, "--server", "web", "--patient", IDENTITY)
    assert said.out.startswith("1 series match, 0 were there; 4 files fetched")
    assert "1 case added" in said.out
    assert "1 were there; 0 files fetched" in medloop("pacs", "pull", project, "--server", "dimse", "--patient", IDENTITY).out
    with Project.open(project) as opened:
        case = opened.next()
        assert case is not None
        opened.submit(case, opened.image(case).array[0].astype("uint8") % 2)
    assert medloop("pacs", "push", project, "--server", "web").out.startswith("1 object stored on web as dicom-seg")
    said = medloop("pacs", "push", project, "--server", "web")
    assert "there before, not sent again" in said.err
    assert said.out.startswith("0 objects stored on web as dicom-seg, 1 there before")


def test_a_wrong_server_and_a_pull_that_stops_are_failures(medloop: Medloop, running_orthanc: Orthanc, tmp_path: Path) -> None:
    running_orthanc.empty()
    running_orthanc.put(sorted(write_stack(tmp_path / "files").iterdir()))
    project = tmp_path / "p"
    assert medloop("init", project, "--kind", "segmentation", "--label", "liver").status == 0
    write_sites(project, running_orthanc, hosts='"pacs.example"')
    said = medloop("pacs", "pull", project, "--server", "web", "--patient", IDENTITY)
    assert (said.status, "The host of the server web is not allowed" in said.err) == (2, True)
    said = medloop("pacs", "listen", project)
    assert (said.status, "give --accept TITLE" in said.err) == (2, True)
    path = write_sites(project, running_orthanc)
    path.write_text(path.read_text().replace("ORTHANC", "OTHER"))
    said = medloop("pacs", "pull", project, "--server", "dimse", "--patient", IDENTITY)
    assert (said.status, "refuses the association" in said.err, IDENTITY in said.err) == (1, True, False)
