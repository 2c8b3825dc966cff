"""The map of the pool, as answers hold it: columns of one value per point, which a page reads at once."""

from typing import Annotated, Literal, Self

from pydantic import Field

from medloop.loop.overview.map_points import ShownMap, map_words
from medloop.loop.querying.by_hand import MOST, ByHand
from medloop.server.wire.schemas import Body, IdText
from medloop.server.wire.views import Number, View

MOST_NAMED = 20_000


class PoolMapView(View):
    """The map that was made last.

    Points stand in columns: place n of each is of the same case. `x` and `y` lie within 0..1, y upwards; `state` is unlabelled, annotated,
    skipped, flagged or queried, `round` the newest that queried the case, `label` the labels of its annotation (joined by " + "), `group`
    its value in the wanted column. `explained` is the share of the variance along each axis, null of t-SNE.
    """

    described: Literal["auto", "model", "images"]
    layout: Literal["pca", "tsne"]
    by: str
    cases: int
    explained: tuple[float, float] | None
    made_at: str
    outdated: str
    sampled: str
    words: list[str]
    columns: list[str]
    ids: list[str]
    names: list[str]
    x: list[float]
    y: list[float]
    splits: list[str]
    states: list[str]
    uncertainties: list[Number]
    qualities: list[Number]
    rounds: list[int | None]
    labels: list[str]
    groups: list[str]

    @classmethod
    def of(cls, shown: ShownMap) -> Self:
        """From the points."""
        made, points = shown.made, shown.points
        return cls(
            described=made.described,
            layout=made.layout,
            by=made.by,
            cases=made.cases,
            explained=made.explained,
            made_at=made.made_at,
            outdated=shown.outdated,
            sampled=shown.sampled,
            words=list(map_words(shown)),
            columns=list(shown.columns),
            ids=[p.id for p in points],
            names=[p.name for p in points],
            x=[p.x for p in points],
            y=[p.y for p in points],
            splits=[p.split for p in points],
            states=[p.state for p in points],
            uncertainties=[p.uncertainty for p in points],
            qualities=[p.quality for p in points],
            rounds=[p.round for p in points],
            labels=[p.label for p in points],
            groups=[p.group for p in points],
        )


class MapBody(Body):
    """How the pool is laid out.

    Attributes:
        described: By the embeddings of the model in use, from the images, or whichever there is.
        layout: The exact plane of greatest variance, or t-SNE of a few thousand cases.
    """

    described: Literal["auto", "model", "images"] = "auto"
    layout: Literal["pca", "tsne"] = "pca"


class QueryBody(Body):
    """Which cases a person wants annotated next.

    Attributes:
        count: So many of them, chosen by the project's strategy; null for all.
    """

    case_ids: Annotated[list[IdText], Field(min_length=1, max_length=MOST_NAMED)]
    count: Annotated[int, Field(ge=1, le=MOST, strict=True)] | None = None


class LeftView(View):
    """A case that was not queried, and why."""

    case: str
    why: str


class ChosenView(View):
    """What came of it: the round, its cases in order, and those that could not be queried."""

    round: int
    case_ids: list[str]
    left: list[LeftView]

    @classmethod
    def of(cls, made: ByHand) -> Self:
        """From the query."""
        chosen = [one.case_id for one in made.query.choices]
        return cls(round=made.round, case_ids=chosen, left=[LeftView(case=case, why=why) for case, why in made.left])
