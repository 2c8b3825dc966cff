"""The project's report: valid and closed in itself whatever the project holds; it leaves out what does not count, and says so."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Annotation, Evaluation, Prediction, Source, Split, new_id, now
from medloop.images.encode import decode_mask
from medloop.loop.annotating.annotations import flag_case, open_case
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.report import report_html

from .conftest import MakeWorkspace
from .made_up import add_answer, add_evaluation, add_model, add_prediction, case_named, every_case

SCRIPT = "<script>alert('1')</script>"


def parsed(workspace: Workspace) -> tuple[ElementTree.Element, str]:
    """The page, checked: XML, nothing loaded, no script; and its text."""
    html = report_html(workspace)
    assert not any(word in html for word in ("<script", "http:", "https:", "src=", "@import", "url("))
    root = ElementTree.fromstring(html.removeprefix("<!doctype html>\n"))
    assert all(n.attrib["href"].startswith("data:image/png;base64,") for n in root.iter("image"))
    return root, " ".join(" ".join(root.find("body").itertext()).split())  # type: ignore[union-attr]


def judged(workspace: Workspace, scores: dict[str, float], *, index: int = 1, split: Split = "test") -> None:
    model = add_model(workspace, index)
    for name in scores:
        add_prediction(workspace, model, case_named(workspace, name), foreground=0.2)
    add_evaluation(workspace, model, split, 3 * index, scores)


def headings(root: ElementTree.Element) -> list[str | None]:
    return [n.text for n in root.iter("h2")]


def test_a_project_without_a_model_says_what_to_do_and_shows_no_picture(pool: Workspace) -> None:
    root, text = parsed(pool)
    assert "Going on is advised. Annotate 2 more cases." in text
    assert "Evaluation cases" not in headings(root)


def test_a_model_that_nobody_judged_asks_for_evaluation_cases(pool: Workspace) -> None:
    add_model(pool, 1)
    assert "Annotate evaluation cases: without test or audit patients" in parsed(pool)[1]


def test_the_worst_the_median_and_the_best_case_are_shown_in_this_order(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test"] * 5, labelled=5)
    judged(workspace, {f"case{n:02d}": score for n, score in enumerate([0.5, 0.9, 0.1, 0.3, 0.7])})
    root, text = parsed(workspace)
    assert [n.text for n in root.iter("b") if n.text and ": case" in n.text] == ["Worst: case02", "Median: case00", "Best: case01"]
    assert "Model 1 on 5 patients: test cases." in text
    assert "Look at the worst cases, 4 of 5 below 0.8: case02 (0.10), case03 (0.30), case00 (0.50) and 1 more" in text
    assert len(list(root.iter("image"))) == 3


def test_a_single_case_is_shown_once_and_volumes_are_said_in_words(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test"], labelled=1)
    judged(workspace, {"case00": 0.4})
    root, text = parsed(workspace)
    assert len(list(root.iter("image"))) == 1
    assert "Only case: case00" in text
    assert "no limits: 1 patient, at least 5 needed" in text
    assert "Annotate 4 more evaluation patients: the score rests on 1 patient" in text


def test_volumes_are_those_of_the_masks_in_ml(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test"] * 6, labelled=6)
    judged(workspace, {f"case{n:02d}": 0.5 for n in range(6)})
    with workspace.store.read() as tx:
        predictions = {p.case_id: p.mask for p in tx.find(Prediction)}
        answers = {a.case_id: a.blob for a in tx.find(Annotation)}
    differences = []
    for case in every_case(workspace):
        predicted, true = (decode_mask(workspace.store.blobs.get(str(b[case.id])), case.grid.shape) for b in (predictions, answers))
        differences.append(((predicted == 1).sum() - (true == 1).sum()) * np.prod(case.grid.spacing_mm) / 1000)
    mean, deviation = np.mean(differences), np.std(differences, ddof=1)
    text = parsed(workspace)[1]
    assert f"mean difference {mean:+.3g} ml over 6 patients" in text
    assert f"limits {mean - 1.96 * deviation:+.3g} to {mean + 1.96 * deviation:+.3g} ml" in text


def test_damaged_withdrawn_and_replaced_cases_stand_behind_no_figure_and_are_named(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test"] * 6, labelled=6)
    judged(workspace, {f"case{n:02d}": 0.1 + n / 10 for n in range(6)})
    workspace.store.blobs.path(case_named(workspace, "case00").voxels).unlink()
    person = annotator_named(workspace, "Ann")
    add_answer(workspace, person, case_named(workspace, "case01"))
    flag_case(workspace, open_case(workspace, case_named(workspace, "case02").id, person.id).assignment.id, reason="artefact")
    root, text = parsed(workspace)
    assert "Model 1 on 3 patients" in text
    assert [n.text for n in root.iter("b") if n.text and ": case" in n.text] == ["Worst: case03", "Median: case04", "Best: case05"]
    rows = {row[0].text: row[2].text or "" for row in root.iter("tr") if len(row) == 5}
    assert "image are missing" in rows["case00"]
    assert rows["case01"] == "it was annotated again after the evaluation"
    assert rows["case02"] in ("artefact", "its annotation was withdrawn after the evaluation")


def test_annotations_that_lean_on_a_proposal_are_named_as_such(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test"] * 2, labelled=2)
    judged(workspace, {"case00": 0.9, "case01": 0.95})
    with workspace.store.write("worker") as tx:
        (evaluation,) = tx.find(Evaluation)
        leaning = (case_named(workspace, "case01").id,)
        tx.add(replace(evaluation, id=new_id("evaluation"), leaning=leaning, created_at=now()))
    text = parsed(workspace)[1]
    assert "Annotate again without a proposal: case01" in text
    assert "1 of 2 annotations began as a model's proposal" in text


def test_the_last_two_models_are_compared_on_the_cases_that_both_were_judged_on(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test"] * 7, labelled=7)
    judged(workspace, {f"case{n:02d}": 0.4 + n / 100 for n in range(6)})
    judged(workspace, {f"case{n:02d}": 0.6 + n / 100 for n in range(1, 7)}, index=2)
    root, text = parsed(workspace)
    assert "Before and after" in headings(root)
    assert "Mean change +0.200 over 5 patients" in text
    assert "Of 5 cases, 5 got better and 0 worse" in text


def test_annotations_of_several_people_that_differ_are_to_be_settled(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2)
    for n, name in enumerate(("Ann", "Bob")):
        add_answer(workspace, annotator_named(workspace, name), case_named(workspace, "case00"), labels=(n + 1,), seconds=60.0 * (n + 1))
        add_answer(workspace, annotator_named(workspace, name), case_named(workspace, "case01"))
    root, text = parsed(workspace)
    assert "Settle 1 case that people annotated differently: case00" in text
    assert [n.text for n in root.iter("text") if n.text in ("Ann", "Bob")] == ["Ann", "Bob"]


def pictures(folder: Path, tags: Sequence[int], probabilities: Sequence[tuple[float, float]]) -> Workspace:
    """A classification of coloured pictures with a judged model; labels and names come from an enemy."""
    workspace = Workspace.create(folder, name=SCRIPT, kind="classification", labels=[SCRIPT, "ill"])
    teacher = annotator_named(workspace, "import", program=True)
    model = add_model(workspace, 1)
    per_case = {}
    for n, (tag, stated) in enumerate(zip(tags, probabilities, strict=True)):
        image = Image(np.full((3, 20, 12, 1), n, dtype=np.uint8), Grid.flat(20, 12))
        source = Source(format="raster", names=(f"{n}.png",), sha256=f"{n:064d}")
        case = add_case(workspace, image, NewCase(name=f"c{n:02d}", patient=f"p{n}", split="test", source=source), Incoming(tag, teacher))
        per_case[case.id] = {"correct": float(int(np.argmax(stated)) == tag)}
        made = add_prediction(workspace, model, case)
        with workspace.store.write("worker") as tx:
            tx.add(replace(made, id=new_id("prediction"), mask=None, probabilities=stated, created_at=now()))
    mean = float(np.mean([s["correct"] for s in per_case.values()]))
    evaluation = Evaluation(
        id=new_id("evaluation"),
        model_id=model.id,
        split="test",
        metric="accuracy",
        mean=mean,
        low=None,
        high=None,
        labelled_cases=3,
        effort_minutes=0.0,
        per_case=per_case,
        created_at=now(),
    )
    with workspace.store.write("worker") as tx:
        tx.add(evaluation)
    return workspace


def test_a_classification_shows_its_confident_errors_and_its_confusions(tmp_path: Path) -> None:
    tags = [0] * 6 + [1] * 6
    stated = [(0.9, 0.1)] * 5 + [(0.03, 0.97)] + [(0.2, 0.8)] * 4 + [(0.6, 0.4), (0.99, 0.01)]
    with pictures(tmp_path / "p", tags, stated) as workspace:
        root, text = parsed(workspace)
    assert [n.text for n in root.iter("b") if n.text and n.text.startswith("Wrong")] == ["Wrong: c11", "Wrong: c05", "Wrong: c10"]
    assert f"Annotated ill, predicted {SCRIPT} with 0.99." in text
    assert "Look at 2 confident errors: c11 (0.99), c05 (0.97)" in text
    (table,) = [t for t in root.iter("table") if t.get("class") == "matrix"]
    assert [[cell.text for cell in row[1:]] for row in table.iter("tr")][1:] == [["5", "1"], ["2", "4"]]
    # by hand, ill: of 6 × 6 pairs, 4 × 5 + 1 × 5 right of those above 0.03, against the one of 0.97: none
    assert "ill: 0.694 (6 of 12 cases)" in text


def test_a_classification_of_one_case_draws_no_curve(tmp_path: Path) -> None:
    with pictures(tmp_path / "p", [0], [(0.9, 0.1)]) as workspace:
        _, text = parsed(workspace)
    assert "None of 1 case was classified wrongly." in text
    assert "need 10 cases or more, got 1" in text


@pytest.mark.parametrize("shape", [(30, 20, 1), (40, 6, 30)])
def test_flat_and_anisotropic_images_are_drawn_to_scale(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    spacing = (0.5, 0.25, 1.0) if shape[2] == 1 else (2.0, 6.0, 1.0)
    grid = Grid.of_spacing(shape, spacing)
    truth = np.zeros(shape, dtype=np.uint8)
    truth[:, :2] = 1
    with Workspace.create(tmp_path / "p", name="p", kind="segmentation", labels=["large"]) as workspace:
        teacher = annotator_named(workspace, "import", program=True)
        source = Source(format="nifti", names=("a",), sha256="0" * 64)
        image = Image(np.zeros((1, *shape), dtype=np.float32), grid)
        add_case(workspace, image, NewCase(name="case00", patient="a", split="test", source=source), Incoming(Mask(truth, grid), teacher))
        judged(workspace, {"case00": 0.4})
        root, text = parsed(workspace)
    (drawn,) = [n for n in root.iter("svg") if n.get("class") == "picture"]
    wide, high = (float(v) for v in drawn.attrib["viewBox"].split()[2:])
    (image_element,) = drawn.iter("image")
    pixels = float(image_element.attrib["width"]) / float(image_element.attrib["height"])
    assert wide / high == pytest.approx(2 * pixels, rel=1e-2)  # pixels are drawn twice as wide as high
    assert ("mm²" in text) == (shape[2] == 1)
    assert ("Coronal slice" in text) == (shape[1] == 6)
