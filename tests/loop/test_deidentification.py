"""A planted name is found nowhere: not in the store, its blobs, the audit, the log, any export, or what the server answers."""

import hashlib
import json
import logging
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medloop.core.errors import IntegrityError, MedloopError
from medloop.core.records import Case, ProjectSettings
from medloop.datasets.blanking import blanked
from medloop.datasets.discover import open_dataset
from medloop.images.deidentification.pseudonyms import Pseudonyms
from medloop.loop.data.exporting import FORMATS
from medloop.loop.data.import_report import ImportReport
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.pseudonyms import pseudonyms_of
from medloop.loop.project import Project
from medloop.store.private import KEY_FILE

from ..dicom_series import IDENTITY, NAME, write_kernels, write_stack
from ..planted import PLANTED, bytes_of, holds_planted, plant_everywhere, plant_in_dicom
from ..server.conftest import API, QUICK, create_app
from ..server.conftest import TestClient as Client

PIXELS = (6, 5, 4)


def made(folder: Path, **settings: str) -> Project:
    chosen = ProjectSettings(train_after=0, audit_fraction=0.0, **settings)  # type: ignore[arg-type]
    return Project.create(folder, kind="segmentation", labels=["liver"], settings=chosen)


def cases(project: Project) -> dict[str, Case]:
    with project.workspace.store.read() as tx:
        return {case.name: case for case in tx.find(Case)}


def text_of(report: ImportReport) -> str:
    return json.dumps(asdict(report), default=str)


def test_a_planted_name_is_found_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plant_everywhere(tmp_path / "source")
    caplog.set_level(logging.DEBUG)
    with made(tmp_path / "project") as project:
        reports = [project.add(tmp_path / "source" / part) for part in ("series", "volumes", "pictures")]
        assert [report.refused for report in reports] == [(), (), ()]
        assert {"PatientName", "private attributes", "OverlayData", "unknown (0008,0007)"} <= set(reports[0].removed)
        for name, case in cases(project).items():
            mask = np.zeros(case.grid.shape, dtype=np.uint8)
            mask[1:3, 1:3] = 1
            project.submit(project.open_case(name), mask)
        refused = [_exported(project, tmp_path / "out" / fmt, fmt) for fmt in FORMATS]
        assert refused.count("") >= 8
        said = [*refused, *map(text_of, reports), *(record.getMessage() for record in caplog.records)]
    said += _answers(tmp_path / "project")
    assert not any(holds_planted(text.encode()) for text in said)
    places = [(path, data) for place in ("project", "out") for path, data in bytes_of(tmp_path / place)]
    assert len(places) > 40
    assert not [path for path, data in places if holds_planted(data) or holds_planted(str(path).encode())]
    assert holds_planted(next(data for path, data in bytes_of(tmp_path / "source") if path.suffix == ".dcm"))


def _exported(project: Project, out: Path, fmt: str) -> str:
    """What an export is refused with, "" for one that was written."""
    try:
        project.export(out, fmt)
    except MedloopError as error:
        return str(error)
    return ""


def _answers(folder: Path) -> list[str]:
    """What the server says of the project and of each case, on every route that asks for no other name."""
    with Client(create_app(folder, QUICK), base_url="http://127.0.0.1:8000") as client:
        (project,) = client.get(f"{API}/projects").json()
        known = {"project": project["id"]}
        names = [case["id"] for case in client.get(f"{API}/projects/{project['id']}/cases").json()["rows"]]
        routes = [path for path, verbs in client.get(f"{API}/openapi.json").json()["paths"].items() if "get" in verbs]
        fillings = [known | {"case": name} for name in names[::3]]
        wanted = {route.format(**one) for route in routes for one in fillings if set(re.findall(r"{(\w+)}", route)) <= {"project", "case"}}
        return [client.get(route).text for route in sorted(wanted) if not route.endswith(("/change", "/export", "/explanation", "/stream"))]


def test_names_of_folders_that_name_the_patient_are_replaced_and_known_again(tmp_path: Path) -> None:
    write_stack(tmp_path / "in" / "Mustermann, Erika" / "scan")
    write_stack(tmp_path / "in" / "second" / "scan", series="b")
    with made(tmp_path / "p") as project:
        first = project.add(tmp_path / "in")
        assert sorted(first.added)[1] == "second_scan"
        assert sorted(first.added)[0].startswith("case-")
        assert set(project.add(tmp_path / "in").duplicates) == set(first.added)
        assert {case.patient for case in cases(project).values()} == {
            pseudonyms_of(project.workspace).patient(_word()),
        }
    assert not [path for path, data in bytes_of(tmp_path / "p") if b"mustermann" in data.lower() or IDENTITY.encode() in data]


def _word() -> str:
    return f"patient-{hashlib.sha256(IDENTITY.encode()).hexdigest()[:12]}"


def test_kept_identifiers_are_those_of_the_files(tmp_path: Path) -> None:
    write_stack(tmp_path / "in" / "Mustermann" / "scan")
    with made(tmp_path / "p", identifiers="kept") as project:
        project.add(tmp_path / "in")
        (case,) = cases(project).values()
    assert case.name == "Mustermann_scan"
    own = {str(pydicom.dcmread(path).SOPInstanceUID) for path in (tmp_path / "in" / "Mustermann" / "scan").iterdir()}
    assert set(case.source.dicom["instances"]) == own


def test_subgroups_of_headers_are_kept_as_far_as_identifiers_are(tmp_path: Path) -> None:
    for path in write_stack(tmp_path / "in" / "scan").iterdir():
        ds = pydicom.dcmread(path)
        ds.Manufacturer, ds.ManufacturerModelName = "Siemens", "Doe's own"
        ds.save_as(path)
    found = {}
    for kept in ("removed", "kept"):
        with made(tmp_path / kept, identifiers=kept) as project:
            project.add(tmp_path / "in")
            (case,) = cases(project).values()
            found[kept] = case.source.groups
            assert "subgroups" not in case.source.dicom
    assert found["removed"] == {"manufacturer": "SIEMENS"}
    assert found["kept"] == {"manufacturer": "SIEMENS", "scanner": "Doe's own", "sex": "female"}


def test_keyed_names_hide_files_patients_and_notes_of_every_format(tmp_path: Path) -> None:
    plant_everywhere(tmp_path / "plain")
    (tmp_path / "named").mkdir()
    for path in (tmp_path / "plain" / "volumes").iterdir():
        shutil.copy(path, tmp_path / "named" / f"{PLANTED}_{path.name}")
    with made(tmp_path / "p", case_names="keyed") as project:
        assert len(project.add(tmp_path / "named").added) == 3
        assert len(project.add(tmp_path / "named").duplicates) == 3
    assert not [path for path, data in bytes_of(tmp_path / "p") if holds_planted(data)]


def test_an_export_points_at_the_originals_or_at_the_cleaned_series(tmp_path: Path) -> None:
    write_stack(tmp_path / "in" / "scan")
    originals = {str(pydicom.dcmread(path).SOPInstanceUID) for path in (tmp_path / "in" / "scan").iterdir()}
    with made(tmp_path / "p") as project:
        project.add(tmp_path / "in")
        project.submit(project.open_case("scan"), np.ones(PIXELS, dtype=np.uint8))
        words = pseudonyms_of(project.workspace)
        project.export(tmp_path / "back", "dicom-seg", source=tmp_path / "in")
        project.export(tmp_path / "clean", "dicom-seg")
    back, clean = (pydicom.dcmread(tmp_path / one / "scan.dcm") for one in ("back", "clean"))
    assert (str(back.PatientName), back.PatientID) == (NAME, IDENTITY)
    assert _pointed_at(back) == originals
    assert _pointed_at(clean) == {words.uid(uid) for uid in originals}
    for folder in ("back", "clean"):  # both come back to their case, also into the project that renames
        with made(tmp_path / f"p-{folder}") as other:
            if folder == "clean":
                shutil.copy(tmp_path / "p" / KEY_FILE, tmp_path / "p-clean" / KEY_FILE)
            assert other.add(tmp_path / "in", objects_in=tmp_path / folder).labelled == 1


def _pointed_at(ds: pydicom.Dataset) -> set[str]:
    series = ds.ReferencedSeriesSequence[0]
    return {str(one.ReferencedSOPInstanceUID) for one in series.ReferencedInstanceSequence}


def test_splits_do_not_depend_on_the_projects_key(tmp_path: Path) -> None:
    for number in range(8):
        folder = write_stack(tmp_path / "in" / f"s{number}", series="x" * (number + 1))
        for path in folder.iterdir():
            ds = pydicom.dcmread(path)
            ds.PatientID = f"id-{number}"
            ds.save_as(path)
    drawn = []
    for name in ("a", "b"):
        with Project.create(
            tmp_path / name, kind="segmentation", labels=["liver"], settings=ProjectSettings(audit_fraction=0.5)
        ) as project:
            project.add(tmp_path / "in")
            drawn.append({case.name: case.split for case in cases(project).values()})
            patients = {case.patient for case in cases(project).values()}
    assert drawn[0] == drawn[1]
    assert len(patients) == 8
    assert set(drawn[0].values()) == {"audit", "train"}


def test_a_lost_key_is_no_new_patient(tmp_path: Path) -> None:
    write_stack(tmp_path / "in" / "scan")
    with made(tmp_path / "p") as project:
        project.add(tmp_path / "in")
        assert ((tmp_path / "p" / KEY_FILE).stat().st_mode & 0o777) == 0o600
    (tmp_path / "p" / KEY_FILE).unlink()
    with Project.open(tmp_path / "p") as project, pytest.raises(IntegrityError, match="restore it from a backup"):
        project.add(tmp_path / "in")


def test_patients_of_an_older_project_stay_who_they_are(tmp_path: Path) -> None:
    write_stack(tmp_path / "in" / "one")
    with made(tmp_path / "p", identifiers="kept") as project:
        project.add(tmp_path / "in")
    write_stack(tmp_path / "in" / "two", series="b")
    with Project.open(tmp_path / "p") as project:
        project.configure(identifiers="removed")
        assert project.add(tmp_path / "in").added == ("two",)
        assert {case.patient for case in cases(project).values()} == {_word()}


def test_blanked_pixels_are_in_no_blob_and_stay_blanked(tmp_path: Path) -> None:
    write_stack(tmp_path / "in" / "scan")
    with made(tmp_path / "p") as project:
        project.add(blanked(open_dataset(tmp_path / "in"), "1,0,2,3"))
        image = load_image(project.workspace.store.blobs, cases(project)["scan"]).array
        assert cases(project)["scan"].source.dicom["blanked"] == {"boxes": [[1, 0, 2, 3]], "outside": False}
        assert image[0, 1:3, 0:3].max() == image.min()
        assert image[0, 3, 0, 0] != image.min()
        again = project.add(tmp_path / "in")
        assert again.duplicates == ("scan",)
        other = open_dataset(write_stack(tmp_path / "other" / "b", series="b").parent)
        refused = project.add(blanked(other, "9,9,1,1")).refused
    assert "a box that is blanked must lie on the image of 6×5 pixels, got 9,9,1,1" in str(refused[0])


def test_free_words_of_headers_reach_no_name_of_a_part(tmp_path: Path) -> None:
    write_kernels(tmp_path / "in" / "scan", (PLANTED, "B30f"))
    with made(tmp_path / "p") as project:
        assert len(project.add(tmp_path / "in").added) == 2
        assert sorted(cases(project)) == ["scan_1_ConvolutionKernel-B30f", "scan_2"]
    assert not [path for path, data in bytes_of(tmp_path / "p") if holds_planted(data)]


def test_a_planted_header_leaves_a_clean_file(tmp_path: Path) -> None:
    from medloop.datasets.cleaned_folder import HowCleaned, clean_folder

    folder = write_stack(tmp_path / "in")
    for path in folder.iterdir():
        plant_in_dicom(path)
    done = clean_folder(folder, tmp_path / "out", Pseudonyms(b"k" * 32), HowCleaned(shift_dates=True))
    assert done.files == 4
    assert done.removed["private attributes"] > 4
    assert not [path for path, data in bytes_of(tmp_path / "out") if holds_planted(data)]


@pytest.mark.parametrize("fmt", ["dicom-seg", "rtstruct"])
def test_free_words_of_annotations_are_printed_and_not_stored(tmp_path: Path, fmt: str) -> None:
    write_stack(tmp_path / "in" / "scan")
    mask = np.zeros(PIXELS, dtype=np.uint8)
    mask[1:3, 1:3] = 1
    with made(tmp_path / "first") as project:
        project.add(tmp_path / "in")
        project.submit(project.open_case("scan"), mask)
        project.export(tmp_path / "out", fmt, source=tmp_path / "in")
    ds = pydicom.dcmread(tmp_path / "out" / "scan.dcm")
    for item in ds.get("SegmentSequence", ds.get("StructureSetROISequence")):
        setattr(item, "SegmentLabel" if fmt == "dicom-seg" else "ROIName", PLANTED)
    (tmp_path / "objects").mkdir()
    ds.save_as(tmp_path / "objects" / f"{PLANTED}.dcm")
    with made(tmp_path / "p") as project:
        report = project.add(tmp_path / "in", objects_in=tmp_path / "objects")
        assert report.labelled == 1
        assert PLANTED in text_of(report)
        assert "is read as 'liver'" in str(cases(project)["scan"].notes)
    assert not [path for path, data in bytes_of(tmp_path / "p") if holds_planted(data)]


def test_a_refused_file_is_named_without_what_it_holds(tmp_path: Path) -> None:
    for path in write_stack(tmp_path / "in" / "scan").iterdir():
        ds = pydicom.dcmread(path)
        ds.PhotometricInterpretation = PLANTED
        ds.save_as(path)
    with made(tmp_path / "p") as project:
        (refusal,) = project.add(tmp_path / "in").refused
    assert "the pixels cannot be decoded" in str(refusal)
    assert not holds_planted(str(refusal).encode())
