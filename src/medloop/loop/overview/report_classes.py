"""How a classification is judged in the report: confusion matrix, ROC curves, reliability, confident errors as pictures."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from medloop.core.arrays import CaseProbabilities, IntArray
from medloop.core.names import counted
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.judged import Judged
from medloop.loop.overview.next_steps import confident_errors
from medloop.loop.overview.report_pictures import case_figures
from medloop.metrics.calibration import reliability
from medloop.metrics.curves import roc_curve
from medloop.query.budget.stability import confusion
from medloop.report.charts import Line, Point, key, unit_square
from medloop.report.markup import element, joined, note
from medloop.report.tables import matrix

FEWEST_CASES = 10
"""Curves over fewer cases than this say nothing."""

BINS = 5
MOST_ERRORS = 6


def class_sections(workspace: Workspace, judged: Judged, left_out: LeftOut) -> list[tuple[str, Markup]]:
    """Headings with what follows them."""
    cases = [one for one in judged.cases if one.annotation.tag is not None]
    names = [label.name for label in workspace.task.labels]
    truth = np.array([one.annotation.tag for one in cases], dtype=np.int64)
    table = np.array([one.prediction.probabilities for one in cases], dtype=np.float64)
    if not cases:
        return [("Classes", note("No case can be shown."))]
    return [
        ("Wrong classes, the surest first", _errors(workspace, judged, left_out)),
        ("Annotated and predicted classes", _confusion(truth, table, names)),
        ("Probabilities", _curves(truth, table, names)),
    ]


def _errors(workspace: Workspace, judged: Judged, left_out: LeftOut) -> Markup:
    """Wrong classes as pictures, the surest first."""
    wrong = confident_errors(judged, least=0.0)
    if not wrong:
        return note(f"None of {counted(len(judged.cases), 'case')} was classified wrongly.")
    figures = case_figures(workspace, [("Wrong", wrong[n : n + 1]) for n in range(min(len(wrong), MOST_ERRORS))], left_out)
    words = f"{len(wrong)} of {counted(len(judged.cases), 'case')} were classified wrongly; those with the highest probability first."
    return joined((figures, note(words)))


def _confusion(truth: IntArray, table: CaseProbabilities, names: Sequence[str]) -> Markup:
    counts = confusion(truth, table.argmax(axis=1), len(names))
    cells = [
        [element("td", int(n), class_=("better" if row == column else "worse") if n else None) for column, n in enumerate(line)]
        for row, line in enumerate(counts)
    ]
    return joined((matrix(names, cells, corner="annotated ↓ predicted →"), note(f"Numbers of cases, {int(counts.sum())} in all.")))


def _curves(truth: IntArray, table: CaseProbabilities, names: Sequence[str]) -> Markup:
    if len(truth) < FEWEST_CASES:
        return note(f"ROC curves and reliability need {FEWEST_CASES} cases or more, got {len(truth)}.")
    return element("div", *filter(None, (_roc(truth, table, names), _reliability(truth, table))), class_="figures wide")


def _roc(truth: IntArray, table: CaseProbabilities, names: Sequence[str]) -> Markup | None:
    """One curve for each class against the rest; of two classes, the second's."""
    lines, words = [], []
    for value in range(1 if len(names) == 2 else 0, table.shape[1]):
        positive = truth == value
        if not positive.any() or positive.all():
            continue
        false, true = roc_curve(positive, table[:, value])
        lines.append(Line(names[value], [Point(float(x), float(y)) for x, y in zip(false, true, strict=True)]))
        words.append(f"{names[value]}: {np.trapezoid(true, false):.3f} ({int(positive.sum())} of {len(truth)} cases)")
    if not lines:
        return None
    chart = unit_square(lines, x_title="false positive rate", y_title="true positive rate", markers=False)
    caption = element("figcaption", element("b", "ROC."), " Area under the curve: ", ", ".join(words), ".")
    return element("figure", chart, key([line.name for line in lines]) if len(lines) > 1 else None, caption)


def _reliability(truth: IntArray, table: CaseProbabilities) -> Markup:
    found = reliability(truth, table, bins=BINS)
    filled = np.flatnonzero(found.counts)
    points = [Point(float(found.confidence[n]), float(found.accuracy[n])) for n in filled]
    chart = unit_square([Line("", points)], x_title="stated probability", y_title="share that was right")
    counts = ", ".join(str(int(found.counts[n])) for n in filled)
    return element("figure", chart, element("figcaption", element("b", "Reliability."), f" Cases per point from the left: {counts}."))
