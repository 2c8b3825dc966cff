"""The notebook of the documentation runs in a real kernel, on some of the real images and with two steps per training."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs/notebook.ipynb"
CASES = 18


def _text(cell: nbformat.NotebookNode) -> str:
    data = [output.get("data", {}) for output in cell.outputs]
    return "".join(one.get("text/html", "") + one.get("text/plain", "") for one in data)


@pytest.mark.data
@pytest.mark.timeout(300)
def test_the_notebook_runs_from_the_first_cell_to_the_last(data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part, to in (("imagesTr", "images"), ("labelsTr", "labels")):
        (tmp_path / "data" / to).mkdir(parents=True)
        for file in sorted((data_folder / "hippocampus" / part).glob("*.nii.gz"))[:CASES]:
            shutil.copy(file, tmp_path / "data" / to)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "the committed notebook holds no outputs"
    for cell in notebook.cells:
        cell.source = cell.source.replace("train_steps=150", "train_steps=2")
    client = NotebookClient(notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    made, tables, trained, shown = (_text(notebook.cells[n]) for n in (1, 5, 7, 9))
    assert f"{CASES} cases: " in made
    assert tables.count("expert") >= 8
    assert "Learning curve" in trained
    assert not [output for cell in notebook.cells for output in cell.get("outputs", []) if output.get("name") == "stderr"]
    assert "black is sure" in shown
    assert (tmp_path / "hippocampus-nnunet-notebook/dataset.json").is_file()
