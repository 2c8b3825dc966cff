"""The coverage table: seeded, one row per interval, and rows that reach their rate."""

import pytest

import interval_coverage as benchmark


def test_equal_seeds_give_equal_rows():
    row = next(iter(benchmark.rows()))
    assert benchmark.cover(row, 20, 3) == benchmark.cover(row, 20, 3)


@pytest.mark.parametrize("name", ["labels needed", "score per doubling", "rate of the foreground", "mean rank"])
def test_intervals_over_three_seeds_hold(name):
    row = next(r for r in benchmark.rows() if r[0] == name)
    found = benchmark.cover(row, 300, 1)
    assert row[2] == "3 seeds"
    assert found.given >= 0.9  # none where three seeds agree to the last digit
    assert found.coverage >= 0.92 - 2 * found.error


def test_every_interval_of_the_documents_has_a_row():
    assert {r[0] for r in benchmark.rows()} == {
        "mean over patients",
        "difference of two models",
        "mean over seeds",
        "difference of strategies",
        "labels needed",
        "score per doubling",
        "rate of the foreground",
        "mean rank",
        "expected gain",
        "pace of three rounds",
        "predicted quality",
        "bounds of a measure",
    }
