"""Figures of labels that leave a site: nested and overlapping ones are counted whole, and none tells of few patients."""

import numpy as np
import pytest

from medloop.core.records import Annotation, Case, Label, Source
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.data.label_statistics import Counted, label_statistics, shown_shares
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from tests.loop.conftest import FAST, small_phantom

PATIENTS = [f"p{n}" for n in range(40)]
LABELS = (
    Label(value=1, name="liver", colour="#ff0000"),
    Label(value=2, name="tumour", colour="#00ff00", inside=1),
    Label(value=3, name="vessel", colour="#0000ff"),
)


def counted(known, has):
    return Counted(set(PATIENTS[:known]), {one: [1.0] for one in PATIENTS[:has]})


def shown(*given, exclusive=False):
    return shown_shares(LABELS, {n + 1: one for n, one in enumerate(given)}, fewest=10, exclusive=exclusive)


def test_a_share_is_not_told_where_few_have_or_lack_the_label():
    assert shown(counted(12, 12), counted(12, 2), counted(12, 9)) == {1}
    assert shown(counted(12, 9), counted(40, 30), counted(40, 31)) == {2}, "three of twelve lack it: 9 of 12 says so"
    assert shown(counted(13, 10), counted(20, 10), counted(20, 20)) == {2, 3}


def test_a_share_is_not_told_where_few_follow_from_that_of_the_label_around_it():
    assert shown(counted(40, 25), counted(40, 20), counted(40, 20)) == {1, 3}
    assert shown(counted(40, 30), counted(40, 20), counted(40, 20)) == {1, 2, 3}


def test_of_classes_another_one_is_left_out_where_the_rest_would_tell_of_few():
    parts = [Counted(set(PATIENTS), {one: [0.0] for one in PATIENTS[a:b]}) for a, b in ((0, 20), (20, 36), (36, 40))]
    assert shown(*parts) == {1, 2}
    assert shown(*parts, exclusive=True) == {1}, "40 - 20 - 16 says that four have the third"


@pytest.fixture
def nested(tmp_path):
    with Workspace.create(
        tmp_path / "p", name="p", kind="segmentation", labels={"liver": "", "tumour": "liver"}, settings=FAST
    ) as workspace:
        teacher = annotator_named(workspace, "import", program=True)
        phantom = small_phantom(0)
        for n, value in enumerate((1, 2, 2)):
            mask = type(phantom.mask)(np.full_like(phantom.mask.array, 0), phantom.mask.grid)
            mask.array[2:4, 2:4, 2:4] = value
            source = Source(format="p", names=(f"c{n}",), sha256=f"{n}" * 64)
            add_case(
                workspace, phantom.image, NewCase(name=f"c{n}", patient=f"p{n}", split="train", source=source), Incoming(mask, teacher)
            )
        yield workspace


def test_a_label_has_the_voxels_of_those_inside_it(nested):
    with nested.store.read() as tx:
        answers, cases = tx.find(Annotation), {case.id: case for case in tx.find(Case)}
    found = label_statistics(nested, answers, cases, fewest=1)
    assert found["liver"]["share_of_patients"] == 1.0
    assert found["tumour"]["share_of_patients"] == 0.667
    assert found["liver"]["median_ml"] == found["tumour"]["median_ml"] > 0
    few = label_statistics(nested, answers, cases, fewest=3)
    assert few == {"liver": {"share_of_patients": 1.0, "median_ml": found["liver"]["median_ml"]}}
