"""Whether a group scores lower than was expected of it."""

import numpy as np
import pytest

from medloop.core.records import Source
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.judging.drift import drift_report
from medloop.loop.judging.drift_errors import lower_mean

from .conftest import MakeWorkspace
from .shifted import SIZE, add_pool, judged_model, predict, scan


@pytest.mark.parametrize(("annotated", "evaluated"), [(5, 8), (20, 8), (100, 20)])
def test_a_group_like_the_evaluated_patients_is_called_worse_once_in_twenty_times(annotated: int, evaluated: int) -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(1000):
        observed, known = rng.normal(size=annotated), rng.normal(size=evaluated)
        found.append(lower_mean(observed - known.mean(), known)[1] <= 0.05)
    assert np.mean(found) < 0.07


def test_the_test_is_that_of_the_textbook() -> None:
    from scipy.stats import ttest_1samp, ttest_ind

    rng = np.random.default_rng(1)
    observed, known = rng.normal(-0.4, 1, 9), rng.normal(0, 2, 14)
    welch = ttest_ind(observed, known, equal_var=False, alternative="less")
    assert lower_mean(observed - known.mean(), known) == pytest.approx((welch.statistic, welch.pvalue))
    student = ttest_1samp(observed, 0, alternative="less")
    assert lower_mean(observed, np.zeros(0)) == pytest.approx((student.statistic, student.pvalue))
    assert lower_mean(np.zeros(5), np.zeros(0)) == (0.0, 0.5)


def test_annotated_cases_of_a_group_are_held_against_the_other_evaluated_patients(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace([])
    model = judged_model(workspace, training=8, evaluated=10)
    add_pool(workspace, model, [200], contrast=-60.0, scanner="B")
    teacher = annotator_named(workspace, "import", program=True)
    for number in range(201, 207):
        image, organ = scan(number, -60.0, 8.0)
        mask = phantom_3d(number, 1, SIZE).mask
        source = Source(format="phantom", names=(f"b{number}",), sha256=f"{number:064d}")
        new = NewCase(name=f"b{number}", patient=f"b{number}", split="train", source=source, groups=(("scanner", "B"),))
        case = add_case(workspace, image, new, Incoming(type(mask)(organ.astype(np.uint8), mask.grid), teacher), follow=False)
        predict(workspace, model, case, number, -60.0)
    (group,) = drift_report(workspace, by="scanner").groups
    (errors,) = group.tests
    assert (errors.kind, group.verdict) == ("calibration", "drift")
    assert "as on the other evaluated patients" in errors.about
