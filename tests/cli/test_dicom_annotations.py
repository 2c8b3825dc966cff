"""Codes of labels, annotations in a folder of their own, and the way back, from the command line."""

import json
from pathlib import Path

import numpy as np
import pydicom

from medloop.loop.project import Project

from ..dicom_series import COLUMNS, IDENTITY, ROWS, SLICES, write_stack
from .conftest import Medloop


def test_codes_and_annotations_go_out_and_come_in(medloop: Medloop, tmp_path: Path) -> None:
    made, scans, out = tmp_path / "q", tmp_path / "scans", tmp_path / "out"
    write_stack(scans / "scan")
    medloop("init", made, "--kind", "segmentation", "--label", "liver", "--label", "b=c")
    table = tmp_path / "codes.csv"
    table.write_text("label,code\nliver,SCT:10200004:Liver\n")
    said = medloop("configure", made, "--code", table, "--code", "b=c=99ABC:1:B")
    assert said.out.splitlines() == [
        "code of liver: (none) → SCT:10200004:Liver (at once)",
        "code of b=c: (none) → 99ABC:1:B (at once)",
    ]
    codes = [label["code"] for label in json.loads(medloop("configure", made, "--json").out)["task"]["labels"]]
    assert codes == ["SCT:10200004:Liver", "99ABC:1:B"]
    assert "a table of codes has the columns label and code" in medloop("configure", made, "--code", write_table(tmp_path)).err
    medloop("import", made, scans)
    with Project.open(made) as project:
        project.submit(project.open_case("scan"), np.ones((COLUMNS, ROWS, SLICES), dtype=np.uint8))
    said = medloop("export", made, out, "--format", "dicom-seg", "--source", scans)
    assert (said.status, said.out) == (0, f"1 case written to {out} as dicom-seg\n")
    assert pydicom.dcmread(out / "scan.dcm").PatientID == IDENTITY
    other = tmp_path / "other"
    medloop("init", other, "--kind", "segmentation", "--label", "liver", "--label", "b=c")
    said = medloop("import", other, scans, "--masks", out, "--threshold", "0.5")
    assert said.out.startswith("1 case added (1 with an annotation)")
    assert "--masks must be labels, foreground or a folder" in medloop("import", other, scans, "--masks", tmp_path / "nowhere").err


def write_table(folder: Path) -> Path:
    """A table that is none of codes."""
    path = folder / "other.csv"
    path.write_text("name,value\nliver,1\n")
    return path
