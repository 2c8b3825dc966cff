"""Evaluation cases as pictures: the slice with the largest disagreement, the annotation's and the prediction's outlines on it."""

from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup

from medloop.core.arrays import MaskArray
from medloop.core.image import Mask
from medloop.core.labels import region_values
from medloop.core.records import Case, Label
from medloop.loop.foundation.arrays import load_annotation, load_proposal, shown_channels
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.judged import Judged, JudgedCase
from medloop.report.markup import element, joined, note
from medloop.report.pictures import Shape, Shot, largest_disagreement, picture


def case_figures(workspace: Workspace, wanted: Iterable[tuple[str, Sequence[JudgedCase]]], left_out: LeftOut) -> Markup:
    """Figures side by side, each with a word and its cases in order: the first that can be read is shown, none twice."""
    shown: set[str] = set()
    figures = []
    for word, candidates in wanted:
        for one in candidates:
            with left_out.case(one.case):
                if one.case.id not in shown:
                    figures.append(_figure(workspace, word, one))
                    shown.add(one.case.id)
                break
    return element("div", *figures, class_="figures") if figures else note("None can be shown.")


def three_of(judged: Judged) -> list[tuple[str, Sequence[JudgedCase]]]:
    """The worst, the median and the best case, each with those that stand in for it; a single one is only itself."""
    cases = judged.cases
    if len(cases) == 1:
        return [("Only case", cases)]
    middle = len(cases) // 2
    return [("Worst", cases), *([("Median", cases[middle:])] if len(cases) > 2 else []), ("Best", cases[::-1])]


def outline_key(labels: Sequence[Label]) -> Markup:
    """What lines and colours mean."""
    strokes = (("annotation", "truth"), ("prediction", "predicted"))
    lines = [
        joined((element("svg", element("path", d="M0 5H26", class_=f"outline {style}"), viewBox="0 0 26 10", class_="key"), f" {name}  "))
        for name, style in strokes
    ]
    dots = [joined((element("span", "■", style=f"color:{label.colour}"), f" {label.name}  ")) for label in labels]
    return note(*lines, *dots)


def _figure(workspace: Workspace, word: str, one: JudgedCase) -> Markup:
    blobs, case = workspace.store.blobs, one.case
    labels = [label for label in workspace.task.labels if label.name in one.scores]
    truth = load_annotation(blobs, one.annotation, case)
    proposed = load_proposal(blobs, one.prediction, case)
    masks = [_only(mask, labels, workspace.task.labels) for mask in (truth.array, proposed)] if isinstance(truth, Mask) else []
    shot = largest_disagreement(case.grid, *(masks or (None, None)))
    styled = list(zip(("truth", "predicted"), masks, strict=False))
    channels, windows = shown_channels(blobs, case)
    drawn = picture(channels, windows, shot, styled, Shape.each(labels, workspace.task.labels), label=f"{word}: {case.name}")
    words = _scores(one) if isinstance(truth, Mask) else _classes(workspace, one, truth)
    return element("figure", drawn, element("figcaption", element("b", f"{word}: {case.name}"), element("br"), words, _place(case, shot)))


def _only(mask: MaskArray, labels: Sequence[Label], every: Sequence[Label]) -> MaskArray:
    """A mask with the voxels of these labels of a task's alone: others were not scored."""
    held = region_values(every)
    kept: MaskArray = np.where(np.isin(mask, [value for label in labels for value in held[label.value]]), mask, 0).astype(np.uint8)
    return kept


def _scores(one: JudgedCase) -> str:
    by_label = ", ".join(f"{name} {value:.2f}" for name, value in one.scores.items())
    leans = " The annotation began as a proposal." if one.leans else ""
    return f"Dice {one.score:.2f}{f' ({by_label})' if len(one.scores) > 1 else ''}.{leans}"


def _classes(workspace: Workspace, one: JudgedCase, truth: int) -> str:
    names, stated = [label.name for label in workspace.task.labels], one.prediction.probabilities
    return f"Annotated {names[truth]}, predicted {names[int(np.argmax(stated))]} with {max(stated):.2f}."


def _place(case: Case, shot: Shot) -> str:
    """Which slice is shown."""
    if case.grid.is_2d:
        return ""
    name = shot.plane.name.capitalize() if case.display.oriented else "Stored"
    return f" {name} slice {shot.index + 1} of {case.grid.shape[shot.plane.slice_axis]}."
