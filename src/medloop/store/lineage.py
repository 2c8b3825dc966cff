"""Models in the order of what they learned from, the one in use, and their evaluations that count.

A model knows what its snapshot held when that was frozen, however late its training ended: a training that was resumed
after a crash ends last and still knows least. The order is therefore that of the snapshots.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, select

from medloop.core.records import OUTSIDE, Evaluation, EvaluationTruth, LiveChoice, Model, Split
from medloop.store.pool_rows import TransactionReader
from medloop.store.rows import from_row, kind_of
from medloop.store.states import full_annotations_query
from medloop.store.tables import annotations, cases, evaluation_truths, evaluations, live_choices, models, snapshots


@dataclass(frozen=True)
class Learned:
    """A model and what it learned from.

    Attributes:
        digest: Of its snapshot: equal for equal annotations.
        frozen: Number of the event that froze the snapshot; a higher one knows more recent annotations.
    """

    model: Model
    digest: str
    frozen: int


class LineageReader(TransactionReader):
    """What is asked about models and their evaluations."""

    def learned_models(self) -> list[Learned]:
        """Every model trained here, those of the oldest snapshot first; of one snapshot in the order they were made."""
        query = select(models, snapshots.c.digest.label("snapshot_digest"), snapshots.c.event.label("frozen"))
        query = query.join(snapshots, snapshots.c.id == models.c.snapshot_id).where(snapshots.c.digest != OUTSIDE)
        query = query.order_by(snapshots.c.event, models.c.event)
        known = kind_of(Model)
        return [Learned(from_row(known, row), row["snapshot_digest"], row["frozen"]) for row in self._connection.execute(query).mappings()]

    def live_choice(self, *, pinned: bool | None = None) -> LiveChoice | None:
        """The decision that chose the model in use, or the last one of that kind; None in a project from before there were any."""
        query = select(live_choices).order_by(live_choices.c.event.desc()).limit(1)
        if pinned is not None:
            query = query.where(live_choices.c.pinned.is_(pinned))
        row = self._connection.execute(query).mappings().first()
        return None if row is None else from_row(kind_of(LiveChoice), row)

    def automatic_model(self, *, without: Collection[str] = ()) -> Model | None:
        """What would be in use had nobody pinned a model: the last own choice, else the model of the newest snapshot.

        Args:
            without: Ids of models that may not be chosen; None where there is no other choice.
        """
        choice = self.live_choice(pinned=False) if not without else self._chosen_without(without)
        if choice is None and without:
            return None
        learned = select(models).join(snapshots, snapshots.c.id == models.c.snapshot_id)
        newest = learned.where(snapshots.c.digest != OUTSIDE).order_by(snapshots.c.event.desc(), models.c.event.desc()).limit(1)
        query = select(models).where(models.c.id == choice.model_id) if choice else newest
        row = self._connection.execute(query).mappings().first()
        return None if row is None else from_row(kind_of(Model), row)

    def _chosen_without(self, without: Collection[str]) -> LiveChoice | None:
        """The last own choice of another model than these."""
        own = select(live_choices).where(live_choices.c.pinned.is_(False), live_choices.c.model_id.not_in(list(without)))
        row = self._connection.execute(own.order_by(live_choices.c.event.desc()).limit(1)).mappings().first()
        return None if row is None else from_row(kind_of(LiveChoice), row)

    def live_model(self) -> Model | None:
        """The model in use, None before the first training; see `LiveChoice`."""
        choice = self.live_choice()
        if choice is None:
            return self.automatic_model()
        row = self._connection.execute(select(models).where(models.c.id == choice.model_id)).mappings().one()
        return from_row(kind_of(Model), row)

    def distinct_models(self) -> list[Model]:
        """One model per distinct content of the snapshots, oldest first: the one in use among equals, else the newest."""
        live = self.live_model()
        chosen: dict[str, Model] = {}
        for learned in self.learned_models():
            if live is None or chosen.get(learned.digest) != live:
                chosen[learned.digest] = learned.model
        return list(chosen.values())

    def current_evaluations(self, *, model_id: str | None = None, split: Split | None = None) -> list[Evaluation]:
        """The newest evaluation of each model and split, oldest model first; none where its annotations are gone."""
        query, truths = select(evaluations), select(evaluation_truths)
        if model_id is not None:
            query, truths = query.where(evaluations.c.model_id == model_id), truths.where(evaluation_truths.c.model_id == model_id)
        if split is not None:
            query, truths = query.where(evaluations.c.split == split), truths.where(evaluation_truths.c.split == split)
        found = {}
        known = kind_of(Evaluation)
        newest = _newest_rows(self._connection.execute(query.order_by(evaluations.c.event)).mappings().all())
        judged = _newest_rows(self._connection.execute(truths.order_by(evaluation_truths.c.event)).mappings().all())
        for key, row in newest.items():
            if key not in judged or judged[key]["evaluation_id"] is not None:
                found[key] = from_row(known, row)
        return list(found.values())

    def evaluation_truth(self, model_id: str, split: Split) -> EvaluationTruth | None:
        """What a model was last held against on a split."""
        query = select(evaluation_truths).where(evaluation_truths.c.model_id == model_id, evaluation_truths.c.split == split)
        row = self._connection.execute(query.order_by(evaluation_truths.c.event.desc()).limit(1)).mappings().first()
        return None if row is None else from_row(kind_of(EvaluationTruth), row)

    def current_annotation_ids(self, splits: Sequence[Split]) -> list[str]:
        """Ids of the full annotations of these splits that count now, sorted; see `Reader.current_annotations`."""
        query = full_annotations_query().with_only_columns(annotations.c.id).join(cases, cases.c.id == annotations.c.case_id)
        return sorted(self._connection.execute(query.where(cases.c.split.in_(list(splits)))).scalars())


def _newest_rows(rows: Sequence[RowMapping]) -> dict[tuple[str, str], RowMapping]:
    """The last row of each model and split, in the order of each one's first."""
    return {(row["model_id"], row["split"]): row for row in rows}
