"""Archives over DICOMweb and DIMSE against a real Orthanc: what is found, fetched and stored."""

from pathlib import Path

import pytest
from pydicom import dcmread

from medloop.core.errors import MedloopError, SettingError, UnavailableError
from medloop.pacs.archive import FoundSeries, PacsQuery
from medloop.pacs.connect import open_archive
from medloop.pacs.sites import read_sites

from ..dicom_series import IDENTITY, NAME, write_stack
from ..orthanc import PASSWORD, USER, Orthanc, free_port, orthanc, write_sites

ROUTES = ("web", "dimse")


def filled(server: Orthanc, folder: Path) -> list[Path]:
    server.empty()
    files = sorted(write_stack(folder / "files").iterdir())
    server.put(files)
    return files


def fetched(archive: object, found: FoundSeries, wanted: list[str]) -> dict[str, bytes]:
    came: dict[str, bytes] = {}
    archive.fetch(found, wanted, came.__setitem__)  # type: ignore[attr-defined]
    return came


@pytest.mark.parametrize("route", ROUTES)
def test_a_series_is_found_fetched_and_the_same(running_orthanc: Orthanc, tmp_path: Path, route: str) -> None:
    files = filled(running_orthanc, tmp_path)
    archive = open_archive(read_sites(write_sites(tmp_path, running_orthanc)).site(route))
    (study,) = archive.studies(PacsQuery(patient="4711*", date="2026-01-01..2026-01-31", modality="CT")).studies
    assert (study.patient, study.modalities, study.series, study.instances) == (IDENTITY, "CT", 1, 4)
    (series,) = archive.series(study.study)
    wanted = {str(dcmread(path).SOPInstanceUID): path for path in files}
    assert archive.instances(study.study, series.series) == tuple(sorted(wanted))
    came = fetched(archive, series, list(wanted))
    (tmp_path / "came").mkdir()
    for uid, content in came.items():
        (tmp_path / "came" / uid).write_bytes(content)
        assert dcmread(tmp_path / "came" / uid) == dcmread(wanted[uid])
    assert set(came) == set(wanted)
    one = sorted(wanted)[0]
    assert set(fetched(archive, series, [one])) == {one}  # a resumed series asks for what lacks only
    person = archive.person(study.study)
    assert (person.PatientName, person.PatientBirthDate, person.StudyID) == (NAME, "19700101", "S1")
    for query in (PacsQuery(patient="4712"), PacsQuery(patient="4711*", date="2026-02-01"), PacsQuery(patient="4711*", modality="MR")):
        assert archive.studies(query).studies == ()


@pytest.mark.parametrize("route", ROUTES)
def test_a_limit_ends_a_search_and_says_that_there_is_more(running_orthanc: Orthanc, tmp_path: Path, route: str) -> None:
    running_orthanc.empty()
    for path in sorted(write_stack(tmp_path / "files").iterdir())[:3]:
        ds = dcmread(path)
        ds.StudyInstanceUID, ds.SeriesInstanceUID = (
            f"{ds.StudyInstanceUID[:50]}.{path.stem[-1]}",
            f"{ds.SeriesInstanceUID[:50]}.{path.stem[-1]}",
        )
        ds.save_as(path)
        running_orthanc.put([path])
    archive = open_archive(read_sites(write_sites(tmp_path, running_orthanc)).site(route))
    few, all_ = archive.studies(PacsQuery(patient=IDENTITY, limit=2)), archive.studies(PacsQuery(patient=IDENTITY, limit=3))
    assert (len(few.studies), few.more, len(all_.studies), all_.more) == (2, True, 3, False)


def test_a_series_comes_by_move_to_a_port_of_this_machine(running_orthanc: Orthanc, tmp_path: Path) -> None:
    filled(running_orthanc, tmp_path)
    port = free_port()
    peer = {"AET": "MEDLOOP", "Host": "127.0.0.1", "Port": port}
    running_orthanc.call("PUT", "/modalities/medloop", json=peer)
    path = write_sites(tmp_path, running_orthanc)
    path.write_text(path.read_text() + f'retrieve = "move"\nreceive_port = {port}\n')
    archive = open_archive(read_sites(path).site("dimse"))
    (study,) = archive.studies(PacsQuery(patient=IDENTITY)).studies
    (series,) = archive.series(study.study)
    wanted = archive.instances(study.study, series.series)
    assert set(fetched(archive, series, list(wanted))) == set(wanted)


def test_credentials_open_a_server_and_are_in_no_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with orthanc(tmp_path, auth=(USER, PASSWORD)) as server:
        more = f'user = "{USER}"\npassword_env = "MEDLOOP_TEST_PASSWORD"'
        sites = read_sites(write_sites(tmp_path, server, more=more))
        monkeypatch.setenv("MEDLOOP_TEST_PASSWORD", PASSWORD)
        assert open_archive(sites.site("web")).studies(PacsQuery(patient="x")).studies == ()
        monkeypatch.setenv("MEDLOOP_TEST_PASSWORD", "wrong-" + PASSWORD)
        with pytest.raises(UnavailableError, match=r"The server web refuses the credentials \(401\)") as refused:
            open_archive(sites.site("web")).studies(PacsQuery(patient="MUSTER"))
    assert PASSWORD not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_a_wrong_title_a_closed_port_and_a_wrong_protocol_are_said_in_words(running_orthanc: Orthanc, tmp_path: Path) -> None:
    text = write_sites(tmp_path, running_orthanc).read_text()

    def refusal(old: str, new: str, route: str, kind: type[MedloopError], seconds: int = 30) -> str:
        (tmp_path / "pacs.toml").write_text(text.replace(old, new) + f"timeout_seconds = {seconds}\n")
        with pytest.raises(kind) as refused:
            open_archive(read_sites(tmp_path / "pacs.toml").site(route)).studies(PacsQuery(patient="MUSTER*"))
        assert "MUSTER" not in str(refused.value)
        return str(refused.value)

    closed = free_port()
    assert "refuses the association: Called AE title not recognised" in refusal('"ORTHANC"', '"OTHER"', "dimse", UnavailableError)
    assert "cannot be reached" in refusal(str(running_orthanc.dicom), str(closed), "dimse", UnavailableError)
    assert "cannot be reached" in refusal(str(running_orthanc.dicom), str(running_orthanc.http), "dimse", UnavailableError, 2)
    assert "not trusted" in refusal('title = "ORTHANC"', 'title = "ORTHANC"\ntls = true', "dimse", UnavailableError, 2)
    assert "cannot be reached" in refusal(str(running_orthanc.http), str(closed), "web", UnavailableError)
    assert "its certificate or its encryption does not fit" in refusal("http://", "https://", "web", SettingError)
    assert "does not have that (404)" in refusal("/dicom-web", "/elsewhere", "web", MedloopError)
