"""Models from elsewhere: known by the name that somebody gave them, and by the proposals they made. They have no weights here.

They are rows among the models, so that a proposal always has one, and never learned anything in this project: they are not in use, not
compared and not exported. Their snapshot is empty.
"""

from medloop.core.errors import InputError
from medloop.core.records import OUTSIDE, Json, Model, Snapshot, new_id, now
from medloop.store.reader import Reader
from medloop.store.writer import Writer

LONGEST_NAME = 80
NOUN, ARRANGE, RUN = "proposer", "arrange", "run"
"""Of the entries that say how a model from elsewhere is run by itself, and when it was run; ids are those of models."""


def checked_outside_name(name: str) -> str:
    """A name without blanks around it.

    Raises:
        InputError: Empty, too long or unprintable.
    """
    plain = name.strip()
    if not plain or len(plain) > LONGEST_NAME or not plain.isprintable():
        rule = f"The name of who made the proposals has 1 to {LONGEST_NAME} printable characters"
        raise InputError(f"{rule}, got {name[:LONGEST_NAME]!r}", remedy="name the model, such as nnunet-liver-2")
    return plain


def outside_model(tx: Writer, name: str, *, metrics: Json | None = None) -> Model:
    """The model from elsewhere of that name; made when it is new, then with these facts of its file."""
    for known in outside_models(tx):
        if known.outside == name:
            return known
    empty = tx.find(Snapshot, where={"digest": OUTSIDE}, limit=1)
    snapshot = empty[0] if empty else Snapshot(id=new_id("snapshot"), annotation_ids=(), digest=OUTSIDE, created_at=now())
    if not empty:
        tx.add(snapshot, verb="freeze")
    index = max((model.index for model in tx.find(Model)), default=0) + 1
    model = Model(
        id=new_id("model"),
        index=index,
        recipe={OUTSIDE: name},
        snapshot_id=snapshot.id,
        weights=(),
        metrics=metrics or {},
        created_at=now(),
    )
    tx.add(model, verb="name")
    return model


def outside_models(tx: Reader) -> list[Model]:
    """Every model from elsewhere, oldest first."""
    return [model for model in tx.find(Model, order=("index",)) if model.outside]


def arrange(tx: Writer, model: Model, how: Json | None) -> None:
    """Let a model from elsewhere see the cases that come from now on, run in this way; None: no longer."""
    if arranged(tx).get(model.id) != how:
        tx.record(ARRANGE, NOUN, model.id, {"how": how})


def arranged(tx: Reader) -> dict[str, Json]:
    """Id of each model from elsewhere that runs by itself → how, the one arranged last at the end."""
    found: dict[str, Json] = {}
    for event in tx.events_about(NOUN, verbs=[ARRANGE]):
        found.pop(event.noun_id, None)
        if event.body["how"] is not None:
            found[event.noun_id] = event.body["how"]
    return found


def standing_proposer(tx: Reader) -> Model | None:
    """The model from elsewhere that proposes for new cases: the one arranged last, while no model of the project is in use."""
    known = list(arranged(tx)) if tx.live_model() is None else []
    return tx.get(Model, known[-1]) if known else None


def note_run(tx: Writer, model: Model, body: Json) -> None:
    """Keep that a model from elsewhere was run: on how many cases, and what its server says of its weights."""
    tx.record(RUN, NOUN, model.id, body)
