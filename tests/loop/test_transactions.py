"""How many transactions a request costs: an edit is read once, and written once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from medloop.core.records import Annotator, Source
from medloop.images.phantoms import phantom_3d
from medloop.interaction.prompts import Point
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.drafts import Edit, save_patch
from medloop.loop.annotating.refining import Refiner, add_prompt, change_prompt, withdraw_prompt
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.partial_annotations import SlicePart
from medloop.loop.foundation.workspace import Workspace
from medloop.store.store import Store

from .conftest import FAST, SMALL
from .tiny_engine import BallEngine


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Transactions opened meanwhile, on the real store."""
    opened: Counter[str] = Counter()
    read, write = Store.read, Store.write

    def reading(store: Store):
        opened["read"] += 1
        return read(store)

    def writing(store: Store, actor: str):
        opened["write"] += 1
        return write(store, actor)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "read", reading)
        patch.setattr(Store, "write", writing)
        yield opened


@pytest.fixture
def assignment_id(pool: Workspace, ann: Annotator) -> str:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    save_patch(pool, opened.assignment.id, Edit(0, [(0, 4, 1)]))
    return opened.assignment.id


@pytest.mark.parametrize(
    "submitted",
    [
        Submitted(revision=1),
        Submitted(mask=np.ones(SMALL, dtype=np.uint8)),
        Submitted(parts=[SlicePart(2, 3)]),
        Submitted(parts=[SlicePart(2, 3)], mask=np.ones(SMALL, dtype=np.uint8)),
    ],
)
def test_a_mask_costs_two_reading_transactions_and_one_writing(
    pool: Workspace, assignment_id: str, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(monkeypatch) as opened:
        submit(pool, assignment_id, submitted)
    assert opened["read"] <= 2
    assert opened["write"] == 1


def test_a_tag_costs_two_reading_transactions_and_one_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace.create(tmp_path / "tags", name="tags", kind="classification", labels=["no", "yes"], settings=FAST) as workspace:
        for number in range(2):
            image, source = phantom_3d(number, 1, SMALL).image, Source(format="phantom", names=(str(number),), sha256=f"{number:064d}")
            add_case(workspace, image, NewCase(name=str(number), patient=str(number), split="train", source=source))
        case = next_assignment(workspace, annotator_named(workspace, "Ann").id)
        assert case is not None
        with counted(monkeypatch) as opened:
            submit(workspace, case.assignment.id, Submitted(tag=1))
    assert opened["read"] <= 2
    assert opened["write"] == 1


def test_a_prompt_given_changed_or_taken_back_costs_one_reading_transaction_and_one_writing(
    pool: Workspace, assignment_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refiner = Refiner(BallEngine())
    with counted(monkeypatch) as opened:
        made = add_prompt(pool, assignment_id, Point((5, 6, 7)), base_revision=1, refiner=refiner)
        assert opened == {"read": 1, "write": 1}
        changed = change_prompt(pool, assignment_id, made.prompt_ids[0], Point((5, 6, 8)), base_revision=2, refiner=refiner)
        withdraw_prompt(pool, assignment_id, changed.prompt_ids[0], base_revision=3, refiner=refiner)
    assert opened == {"read": 3, "write": 3}
