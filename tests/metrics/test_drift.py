import pytest

from medloop.metrics.drift import DriftTest, GroupDrift, corrected, few_words


def few(p: float) -> GroupDrift:
    """A group of three patients, of whose annotated cases the errors were compared."""
    errors = DriftTest("calibration", "", -1.0, p, -0.1, "observed less expected quality")
    return GroupDrift("scanner B", 3, 3, "all evaluated patients", 20, 20, (errors,), None, "too few", few_words(3, 20))


@pytest.mark.parametrize(("p", "verdict"), [(0.4, "too few"), (0.001, "drift")])
def test_with_too_few_patients_errors_show_a_drift_and_never_that_there_is_none(p: float, verdict: str) -> None:
    (found,) = corrected([few(p)])
    assert found.verdict == verdict
    assert ("3 patients, at least 8 needed" in found.meaning) == (verdict == "too few")
