"""The example of the page about streams is walked through from the first command to the last, on phantoms and with a short training."""

import re
import shlex
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medloop.cli.main import status_of

from ..loop.shifted import scan
from .test_snippets import TEXTS

ANNOTATED, ARRIVING = 16, 2


def _lay_out(folder: Path) -> None:
    for number in range(ANNOTATED + ARRIVING):
        image, organ = scan(number, 60.0, 8.0)
        known = number < ANNOTATED
        parts = {"data/images": image.array[0], "data/labels": organ.astype(np.uint8)} if known else {"arriving": image.array[0]}
        for part, array in parts.items():
            (folder / part).mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(array, np.eye(4)), folder / part / f"case{number:03d}.nii.gz")


def test_the_example_runs_and_what_it_accepts_is_exported_and_recalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _lay_out(tmp_path)
    text = TEXTS["docs/stream.md"].split("## On images of your own")[1].split("## What is promised")[0]
    lines = [line for code in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in code.splitlines()]
    assert [shlex.split(line)[1] for line in lines] == [
        "init",
        "import",
        "train",
        "configure",
        "stream",
        "dispositions",
        "export",
        "dispositions",
    ]
    heard = ""
    for line in lines:
        small = line.replace("--steps 150", "--steps 10").replace(
            "stream_risk=0.1 stream_good=0.8", "stream_risk=0.3 stream_good=0.01 stream_hard=0.01 stream_audit=0.05"
        )
        status, said = status_of(shlex.split(small)[1:]), capsys.readouterr()
        assert status == 0, f"{small}: {said.err}"
        heard += said.out + said.err
    assert heard.count(": accepted: ") == ARRIVING
    assert len(list((tmp_path / "accepted/proposals").iterdir())) == ARRIVING
    assert f"{ARRIVING} cases accepted before: people read them now" in heard
