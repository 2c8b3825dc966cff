"""Pull, annotate, push and listen against a real Orthanc: exact, once, and whole or not at all."""

import logging
import signal
import subprocess
from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread

from medloop.core.errors import ConflictError, MedloopError, NotFoundError, SettingError
from medloop.core.records import Case
from medloop.datasets.channel_names import wanted_named
from medloop.loop.data.pacs_listen import Door, Listener, listening
from medloop.loop.data.pacs_pull import PullBounds, PullReport, pull
from medloop.loop.data.pacs_push import Push, PushReport, push
from medloop.loop.data.pacs_spool import Importing, alone
from medloop.loop.project import Project
from medloop.pacs import files as pacs_files
from medloop.pacs.archive import FoundSeries, PacsQuery
from medloop.pacs.connect import open_archive
from medloop.pacs.dicomweb import WebArchive
from medloop.pacs.sites import read_sites

from ..cli.conftest import command_line
from ..dicom_series import IDENTITY, NAME, write_frames, write_stack
from ..orthanc import Orthanc, free_port, write_sites
from .test_reference_series import described

QUERY = PacsQuery(patient=IDENTITY)


@pytest.fixture
def server(running_orthanc: Orthanc) -> Orthanc:
    running_orthanc.empty()
    return running_orthanc


@pytest.fixture
def project(tmp_path: Path, server: Orthanc) -> Project:
    made = Project.create(tmp_path / "project", kind="segmentation", labels=["liver", "spleen"])
    write_sites(tmp_path / "project", server)
    return made


def pulled(project: Project, route: str = "web", query: PacsQuery = QUERY, bounds: PullBounds | None = None) -> PullReport:
    archive = open_archive(read_sites(project.workspace.folder / "pacs.toml").site(route))
    return pull(project.workspace, archive, route, query, bounds)


def pushed(project: Project, fmt: str, route: str = "web", *, again: bool = False) -> PushReport:
    archive = open_archive(read_sites(project.workspace.folder / "pacs.toml").site(route))
    return push(project.workspace, archive, Push(route, fmt, again=again))


def cases(project: Project) -> dict[str, Case]:
    with project.workspace.store.read() as tx:
        return {case.name: case for case in tx.find(Case)}


def annotate(project: Project, name: str) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    opened = project.open_case(name)
    mask = np.random.default_rng(7).integers(0, 3, project.image(opened).grid.shape).astype(np.uint8)
    project.submit(opened, mask)
    return mask


def objects(server: Orthanc, modality: str) -> list[bytes]:
    """Files of a modality that the server has, asked past the code under test."""
    found = server.call("POST", "/tools/find", json={"Level": "Instance", "Query": {"Modality": modality}}).json()
    return [server.call("GET", f"/instances/{one}/file").content for one in found]


@pytest.mark.parametrize("route", ["web", "dimse"])
def test_a_series_is_pulled_annotated_and_pushed_back_voxel_by_voxel(project: Project, server: Orthanc, tmp_path: Path, route: str) -> None:
    source = write_stack(tmp_path / "files", "oblique")
    server.put(sorted(source.iterdir()))
    report = pulled(project, route)
    assert (report.series, report.files, report.imported.refused, report.stopped, report.incomplete) == (1, 4, (), "", ())
    (name,) = report.imported.added
    mask = annotate(project, name)
    assert pushed(project, "dicom-seg", route).pushed == (name,)
    (stored,) = objects(server, "SEG")
    seg, original = hd.seg.segread(BytesIO(stored)), dcmread(next(source.iterdir()))
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "StudyInstanceUID", "StudyID", "AccessionNumber"):
        assert seg[keyword].value == original[keyword].value
    slices = sorted((dcmread(path) for path in source.iterdir()), key=lambda ds: int(ds.InstanceNumber))  # as they lie along their normal
    in_order = [str(ds.SOPInstanceUID) for ds in slices]
    read = seg.get_pixels_by_source_instance(in_order, combine_segments=True, skip_overlap_checks=True)
    assert np.array_equal(np.moveaxis(read, (0, 1, 2), (2, 1, 0)), mask)
    second = pushed(project, "dicom-seg", route)
    assert (second.pushed, second.before) == ((), (name,))
    assert len(objects(server, "SEG")) == 1
    assert pushed(project, "dicom-seg", route, again=True).pushed == (name,)
    assert len(objects(server, "SEG")) == 2
    project.close()


def test_every_kind_of_object_is_pushed_and_pulled_pixels_are_those_of_the_files(project: Project, server: Orthanc, tmp_path: Path) -> None:
    server.put(sorted(write_stack(tmp_path / "files").iterdir()))
    server.put(sorted(write_frames(tmp_path / "enhanced").iterdir()))
    local = Project.create(tmp_path / "local", kind="segmentation", labels=["liver"])
    local.add(tmp_path / "files")
    report = pulled(project)
    assert len(report.imported.added) == 2
    (near,) = cases(local).values()
    (same,) = [case for case in cases(project).values() if case.voxels == near.voxels]
    assert same.grid == near.grid
    for name in cases(project):
        annotate(project, name)
    for fmt, modality in (("dicom-labelmap", "SEG"), ("rtstruct", "RTSTRUCT")):
        done = pushed(project, fmt)
        assert (len(done.pushed), done.left_out) == (2, ())
        assert len(objects(server, modality)) == 2
    project.close()
    local.close()


def test_nothing_of_a_patient_is_in_the_project_its_events_or_its_log(
    project: Project, server: Orthanc, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.put(sorted(write_stack(tmp_path / "files").iterdir()))
    for route in ("web", "dimse"):
        pulled(project, route, PacsQuery(patient=IDENTITY, name="MUSTER*"))
    for name in cases(project):
        annotate(project, name)
    pushed(project, "dicom-seg", "web")
    pushed(project, "dicom-seg", "dimse")
    project.close()
    whole = b"".join(path.read_bytes() for path in project.workspace.folder.rglob("*") if path.is_file())
    for planted in (NAME, IDENTITY, "MUSTERMANN", "19700101"):
        assert planted.encode() not in whole
        assert planted not in caplog.text


def test_a_pull_that_reached_its_bound_goes_on_from_there_and_half_a_series_is_no_case(
    project: Project, server: Orthanc, tmp_path: Path
) -> None:
    files = sorted(write_stack(tmp_path / "files").iterdir())
    server.put(files)
    size = files[0].stat().st_size
    first = pulled(project, bounds=PullBounds(most_bytes=3 * size + 64))
    assert (first.files, first.imported.added) == (3, ())
    assert "are the most of one pull" in first.stopped
    second = pulled(project)
    assert (second.files, len(second.imported.added), second.stopped) == (1, 1, "")
    third = pulled(project)
    assert (third.files, third.there, third.imported.added) == (0, 1, ())
    assert len(cases(project)) == 1
    project.close()


class _Counting(WebArchive):
    """Says of each series that it has one image more than it lists, as an archive does while a series arrives."""

    def series(self, study: str) -> tuple[FoundSeries, ...]:
        return tuple(FoundSeries(s.study, s.series, s.modality, s.description, (s.instances or 0) + 1) for s in super().series(study))


def test_a_series_of_which_images_lack_is_named_and_not_imported(project: Project, server: Orthanc, tmp_path: Path) -> None:
    server.put(sorted(write_stack(tmp_path / "files").iterdir()))
    site = read_sites(project.workspace.folder / "pacs.toml").site("web")
    report = pull(project.workspace, _Counting(site), "web", QUERY)
    assert "4 of 5 files came" in report.incomplete[0]
    assert not cases(project)
    assert len(pulled(project).imported.added) == 1  # and what came is not fetched again
    project.close()


def test_a_series_that_came_by_another_way_is_not_doubled(project: Project, server: Orthanc, tmp_path: Path) -> None:
    project.add(write_stack(tmp_path / "files"))
    server.put(sorted((tmp_path / "files").iterdir()))
    report = pulled(project)
    assert (report.there, report.files, len(cases(project))) == (1, 0, 1)
    project.close()


def test_a_pull_without_a_bound_or_beside_another_is_refused(project: Project, server: Orthanc, tmp_path: Path) -> None:
    server.put(sorted(write_stack(tmp_path / "files").iterdir()))
    with pytest.raises(SettingError, match="needs something that narrows it"):
        pulled(project, query=PacsQuery(patient="*"))
    with pytest.raises(NotFoundError, match="No series of images matches"):
        pulled(project, query=PacsQuery(patient="nobody"))
    server.put(sorted(write_stack(tmp_path / "more", series="more").iterdir()))
    with pytest.raises(SettingError, match="2 series match, one pull takes 1"):
        pulled(project, bounds=PullBounds(most_series=1))
    with alone(project.workspace.work_folder / "pacs-pull", "pull"), pytest.raises(ConflictError, match="Another pull of this project"):
        pulled(project)
    project.close()


def test_a_push_needs_the_series_on_that_server_and_something_to_push(project: Project, server: Orthanc, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nothing to push yet"):
        pushed(project, "dicom-seg")
    with pytest.raises(SettingError, match="Unknown format 'nifti'"):
        pushed(project, "nifti")
    project.add(write_stack(tmp_path / "files"))
    annotate(project, next(iter(cases(project))))
    done = pushed(project, "dicom-seg")
    assert not done.pushed
    assert "4 of its 4 images are not on web" in done.left_out[0]
    project.close()


@pytest.fixture
def door(server: Orthanc) -> Door:
    port = free_port()
    server.call("PUT", "/modalities/medloop", json={"AET": "MEDLOOP", "Host": "127.0.0.1", "Port": port})
    return Door(accepts=("ORTHANC",), port=port, quiet_seconds=3600)


def send(server: Orthanc) -> None:
    """Let the server send all it has."""
    server.call("POST", "/modalities/medloop/store", json=server.call("GET", "/patients").json())


def arrived(project: Project, door: Door, lines: list[str]) -> Listener:
    return Listener(project.workspace, door, Importing(), lines.append)


def test_what_a_real_sender_sends_becomes_cases_when_it_is_quiet_and_only_once(
    project: Project, server: Orthanc, door: Door, tmp_path: Path
) -> None:
    server.put(sorted(write_stack(tmp_path / "files").iterdir()))
    lines: list[str] = []
    listener = arrived(project, door, lines)
    with listening(listener):
        send(server)
        send(server)  # again, before it is taken
        listener.sort()
        assert not listener.finish()
        assert not cases(project)
        assert listener.finish(at=4e9)
        assert len(listener.take().added) == 1
        send(server)  # and again, when it is a case
        listener.sort()
        assert not listener.finish(at=4e9)
        assert lines[-1] == "4 objects came again and changed nothing"
        with pytest.raises(ConflictError, match="Another listener"), listening(arrived(project, door, [])):
            pass
    assert len(cases(project)) == 1
    assert pulled(project).there == 1
    project.close()


def test_a_series_by_two_connections_is_one_case_and_late_images_are_kept_aside(
    project: Project, server: Orthanc, door: Door, tmp_path: Path
) -> None:
    files, lines = sorted(write_stack(tmp_path / "files").iterdir()), list[str]()
    listener = arrived(project, door, lines)
    with listening(listener):
        server.put(files[:1])
        send(server)
        listener.sort()
        server.put(files[1:3])
        send(server)
        listener.sort()
        listener.finish(at=4e9)
        assert len(listener.take().added) == 1
        server.put(files[3:])
        send(server)
        listener.sort()
        listener.finish(at=4e9)
        assert "already has another image of this name" in listener.take().refused[0].rule
    (case,) = cases(project).values()
    assert case.grid.shape[2] == 3
    assert len(list((project.workspace.folder / "received" / "refused").rglob("*.dcm"))) >= 1
    project.close()


def test_senders_that_are_not_named_and_a_full_disk_are_told_so(
    project: Project, server: Orthanc, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put(sorted(write_stack(tmp_path / "files").iterdir()))
    incoming = project.workspace.folder / "received" / "incoming"
    for accepts in (("SCANNER",), ("ORTHANC@10.9.8.7",)):
        with listening(arrived(project, Door(accepts=accepts, port=door.port), [])), pytest.raises(Exception, match=r"500|400"):
            send(server)
    monkeypatch.setattr(pacs_files, "LEAST_FREE", 1 << 62)
    with listening(arrived(project, door, [])), pytest.raises(Exception, match=r"500|400"):
        send(server)
    assert list(incoming.iterdir()) == []
    with pytest.raises(SettingError, match="needs the AE titles"):
        Door()
    with (
        pytest.raises(MedloopError, match="cannot be listened at"),
        listening(arrived(project, Door(accepts=("A",), port=server.http), [])),
    ):
        pass
    project.close()


def test_a_listener_that_is_killed_has_lost_nothing_that_it_acknowledged(
    project: Project, server: Orthanc, door: Door, tmp_path: Path
) -> None:
    server.put(sorted(write_stack(tmp_path / "files").iterdir()))
    folder = project.workspace.folder
    project.close()
    arguments = ("pacs", "listen", folder, "--accept", "ORTHANC", "--port", door.port, "--quiet", 3600)
    with subprocess.Popen(command_line(*arguments), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "Listening at 127.0.0.1" in process.stderr.readline()
        send(server)  # returns when all are acknowledged
        process.send_signal(signal.SIGKILL)
    with Project.open(folder) as again:
        listener = arrived(again, door, [])
        listener.sort()
        listener.finish(at=4e9)
        assert len(listener.take().added) == 1
        assert next(iter(cases(again).values())).grid.shape == (6, 5, 4)


def test_series_of_one_study_are_pulled_as_the_channels_of_one_case(project: Project, server: Orthanc, tmp_path: Path) -> None:
    described(tmp_path / "a", "ax T1", series="a")
    described(tmp_path / "b", "ax T2", series="b")
    described(tmp_path / "c", "localiser", series="c")
    server.put(sorted(path for name in ("a", "b", "c") for path in (tmp_path / name).iterdir()))
    together = PullBounds(together=wanted_named("T1,T2", references="study"))
    first = pulled(project, bounds=together)
    (case,) = cases(project).values()
    assert (first.series, case.channels, case.display.channel_names) == (3, 2, ("T1", "T2"))
    assert len(project.references()) == 1
    again = pulled(project, bounds=together)
    assert (again.there, again.files, len(again.imported.added)) == (3, 0, 0)


def test_series_that_are_there_apart_are_joined_by_a_pull_that_names_channels(project: Project, server: Orthanc, tmp_path: Path) -> None:
    for name, described_as in (("a", "ax T1"), ("b", "ax T2"), ("c", "localiser")):
        server.put(sorted(described(tmp_path / name, described_as, series=name).iterdir()))
        if name == "a":
            assert len(pulled(project).imported.added) == 1  # T1 alone, before its study was whole
    together = PullBounds(together=wanted_named("T1,T2"))
    first = pulled(project, bounds=together)
    assert (first.there, len(first.imported.added)) == (0, 1)
    assert [case.display.channel_names for case in cases(project).values() if case.channels == 2] == [("T1", "T2")]
    again = pulled(project, bounds=together)  # the localiser is not to be kept: it is not fetched and refused each time
    assert (again.there, again.files, again.imported.refused) == (3, 0, ())
    beside = pulled(project, bounds=PullBounds(together=wanted_named("T1,T2", references="study")))
    assert (beside.there, len(beside.imported.added), len(project.references())) == (0, 0, 1)
    assert pulled(project, bounds=PullBounds(together=wanted_named("T2,T1"))).there == 0


def test_a_study_that_a_bound_cut_waits_whole_for_the_same_pull(project: Project, server: Orthanc, tmp_path: Path) -> None:
    described(tmp_path / "a", "ax T1", series="a")
    described(tmp_path / "b", "ax T2", series="b")
    files = sorted(path for name in ("a", "b") for path in (tmp_path / name).iterdir())
    server.put(files)
    half, together = sum(path.stat().st_size for path in files) * 5 // 8, wanted_named("T1,T2")
    first = pulled(project, bounds=PullBounds(most_bytes=half, together=together))
    assert first.stopped
    assert (first.imported.added, first.imported.refused) == ((), ())
    second = pulled(project, bounds=PullBounds(together=together))
    assert (len(second.imported.added), first.files + second.files) == (1, len(files))


class _StoppedError(Exception):
    """Of a pull that somebody ends while it fetches."""


def test_what_a_stopped_pull_fetched_is_not_imported_by_another(project: Project, server: Orthanc, tmp_path: Path) -> None:
    for name in ("a", "b"):
        described(tmp_path / name, f"ax {name}", series=name)
    server.put(sorted(path for name in ("a", "b") for path in (tmp_path / name).iterdir()))
    archive, place = (
        open_archive(read_sites(project.workspace.folder / "pacs.toml").site("web")),
        project.workspace.work_folder / "pacs-pull",
    )

    def stop(done: int, _total: int, _what: str) -> None:
        if done == 1:
            raise _StoppedError

    with pytest.raises(_StoppedError):
        pull(project.workspace, archive, "web", QUERY, report=stop)
    (fetched,) = [path.name for path in (place / "ready").iterdir()]
    (study,) = archive.studies(QUERY).studies
    (other,) = [one.series for one in archive.series(study.study) if pacs_files.series_name(one.series) != fetched]
    assert len(pulled(project, query=PacsQuery(study=study.study, series=other)).imported.added) == 1
    assert pulled(project).files == 0  # it goes on with what it has
    assert len(cases(project)) == 2
    assert not [*(place / "ready").iterdir(), *(place / "growing").iterdir()]
