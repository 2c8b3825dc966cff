"""Files a second of a pull from a local Orthanc, over DICOMweb and DIMSE, and of the import alone: `python benchmarks/pacs.py`."""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.orthanc import orthanc, write_sites

from medloop.loop.project import Project
from medloop.pacs.archive import PacsQuery
from medloop.pacs.connect import open_archive
from medloop.pacs.sites import read_sites


def write_series(folder: Path, count: int, size: int, rng: np.random.Generator) -> None:
    """A CT of one file a slice: a disc in air with noise of some 20 units, which packs to about a half as real ones do."""
    folder.mkdir(parents=True)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    far = np.hypot(*np.meshgrid(*(np.linspace(-1, 1, size),) * 2))
    tissue = np.where(far < 0.7, 1064, 0)
    for n in range(count):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
        ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        ds.PatientID, ds.PatientName, ds.StudyDate, ds.Modality, ds.InstanceNumber = "BENCH", "BENCH", "20260101", "CT", n + 1
        ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, float(n)]
        ds.PixelSpacing, ds.SliceThickness = [0.7, 0.7], 1.0
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = size, size, 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.PixelData = (tissue + rng.normal(0, 20, (size, size))).clip(0, 4095).astype(np.uint16).tobytes()
        ds.save_as(folder / f"{n:04}.dcm", enforce_file_format=True)


def timed_import(folder: Path, source: Path) -> float:
    with Project.create(folder, kind="segmentation", labels=["organ"]) as project:
        start = time.perf_counter()
        project.add(source)
        return time.perf_counter() - start


def timed_pull(folder: Path, sites: Path, route: str) -> tuple[float, float]:
    """Seconds to fetch alone, and of a whole pull with its import."""
    with Project.create(folder, kind="segmentation", labels=["organ"]) as project:
        (folder / "pacs.toml").write_text(sites.read_text())
        (folder / "pacs.toml").chmod(0o600)
        archive = open_archive(read_sites(folder / "pacs.toml").site(route))
        start = time.perf_counter()
        for study in archive.studies(PacsQuery(patient="BENCH")).studies:
            for one in archive.series(study.study):
                archive.fetch(one, archive.instances(one.study, one.series), lambda *_: None)
        fetched = time.perf_counter() - start
        start = time.perf_counter()
        project.pull(PacsQuery(patient="BENCH"), server=route)
        return fetched, time.perf_counter() - start


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--series", type=int, default=8)
    asked.add_argument("--slices", type=int, default=100)
    asked.add_argument("--size", type=int, default=512)
    given = asked.parse_args()
    rng, files = np.random.default_rng(0), given.series * given.slices
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for n in range(given.series):
            write_series(folder / "files" / f"s{n}", given.slices, given.size, rng)
        write_series(folder / "warm" / "s", 4, 64, rng)
        timed_import(folder / "warming", folder / "warm")  # what is loaded and started once
        rates = {"import": files / timed_import(folder / "import", folder / "files")}
        (folder / "server").mkdir()
        with orthanc(folder / "server") as server:
            server.put(sorted((folder / "files").rglob("*.dcm")))
            sites = write_sites(folder, server)
            for route in ("web", "dimse"):
                fetched, whole = timed_pull(folder / route, sites, route)
                rates |= {f"{route}: fetch": files / fetched, f"{route}: pull and import": files / whole}
    print(json.dumps({"files": files, "size": given.size, "files_per_second": {k: round(v, 1) for k, v in rates.items()}}, indent=1))


if __name__ == "__main__":
    main()
