"""Studies of data sets in which a label is not annotated everywhere: what nobody drew is neither learned nor judged as background."""

from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import SettingError
from medloop.core.records import Annotation, Case, Model
from medloop.images.nifti import write_image, write_mask
from medloop.images.phantoms import phantom_2d
from medloop.loop.foundation.workspace import Workspace
from medloop.simulation.noise import Noise
from medloop.simulation.oracle import Errors, Oracle
from medloop.simulation.prepare import TRUTH, prepare
from medloop.simulation.runs import run_study

from .phantom_data import small_design


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """Sixteen slices; every second one annotates the first label only."""
    folder = tmp_path / "half"
    lines = ["filename,annotated"]
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for index in range(16):
        phantom = phantom_2d(index, seed=3, shape=(32, 32))
        if in_part := index % 2 == 1:
            phantom.mask.array[phantom.mask.array != 1] = 0
        write_image(folder / "images" / f"{phantom.name}.nii.gz", phantom.image)
        write_mask(folder / "labels" / f"{phantom.name}.nii.gz", phantom.mask)
        lines.append(f"{phantom.name}.nii.gz,{'label 1' if in_part else ''}")
    (folder / "index.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_an_oracle_annotates_what_its_truth_does_and_evaluation_cases_keep_it(half: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_study(small_design(half, strategies=("random",)), out)
    odd = {f"{phantom_2d(index, seed=3, shape=(32, 32)).name}" for index in range(1, 16, 2)}
    found = dict[str, tuple[int, ...]]()
    models = 0
    for folder in sorted(path.parent for path in out.rglob("medloop.sqlite") if path.parent.name != TRUTH):
        with Workspace.open(folder) as workspace, workspace.store.read() as tx:
            models += tx.count(Model)
            found |= {tx.get(Case, one.case_id).name: one.annotated for one in tx.find(Annotation)}
    assert {bool(annotated) == (name in odd) for name, annotated in found.items()} == {True}
    assert any(found.values())
    assert models


def test_of_a_label_that_is_not_annotated_a_proposal_is_not_taken_over(half: Path, tmp_path: Path) -> None:
    prepare(small_design(half), tmp_path / "out")
    with Oracle(tmp_path / "out" / TRUTH, Errors(noise=Noise("lazy", 1.0))) as oracle:
        name = next(name for name in (f"{phantom_2d(i, seed=3, shape=(32, 32)).name}" for i in range(16)) if oracle.annotated(name))
        proposal = np.full((32, 32, 1), 2, dtype=np.uint8)
        assert set(np.unique(oracle.annotation(name, proposal=proposal))) <= {0, 1}


@pytest.mark.parametrize("changed", [{"given": "scribbles"}, {"query_unit": "slice"}])
def test_marks_and_parts_of_such_cases_are_refused_in_a_line(half: Path, tmp_path: Path, changed: dict[str, object]) -> None:
    with pytest.raises(SettingError, match="every label is annotated, got"):
        prepare(small_design(half, **changed), tmp_path / "out")
