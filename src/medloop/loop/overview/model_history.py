"""The models of a project as people see them: what each learned from, how it does, which is in use and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from medloop.core.names import counted
from medloop.core.records import Evaluation, LiveChoice, Model, Split, Task
from medloop.loop.foundation.federations import federation_words
from medloop.loop.foundation.learned import learned_of_snapshot
from medloop.loop.foundation.model_choices import CANDIDATE
from medloop.loop.foundation.trials import current_trial, trials_among
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.calibration import calibration_words
from medloop.loop.judging.evaluation_cases import shown_interval
from medloop.loop.judging.trial_effort import trial_effort
from medloop.metrics.intervals import Interval, interval_words
from medloop.metrics.release import Gate
from medloop.metrics.succession import Comparison
from medloop.models.foundation.nnunet_recipe import learner_words
from medloop.store.lineage import Learned
from medloop.store.reader import Reader

NAMES_SHOWN = 5
"""Cases that a note names; the model's metrics hold all."""

PREFERRED: tuple[Split, ...] = ("test", "audit", "validation")
"""Whose score stands for a model: validation cases also chose the weights, so they come last."""


@dataclass(frozen=True)
class ComparisonLine:
    """A model against the one in use when it was judged; see `medloop.metrics.succession.Comparison`."""

    with_index: int
    difference: float
    low: float | None
    high: float | None
    patients: int
    verdict: str
    text: str


@dataclass(frozen=True)
class ModelLine:
    """One model in a table.

    Attributes:
        cases: Annotated cases it learned from.
        learned: Annotations it learned from; a case annotated in parts has several.
        score, low, high: On `score_split`; None where it was not evaluated or has no interval.
        live: Whether it is in use.
        pinned: Whether a person chose it.
        note: Why it is in use or not, in words; "" where nothing was decided about it.
        comparison: With the model in use when it was judged; None where there was none.
        nothing_new: Whether an older model learned from the same annotations: it is no further evidence.
        score_note: Why the score has no interval; "" where it has one, or without a score.
        calibration: What was done for its probabilities to come true, in words.
        candidate: Whether the gate keeps it out of use until a person releases it.
        gate: What the gate found, one line each; empty where it was not asked.
        before: Whether it was in use once.
        on_trial: Whether it proposes in a share of the cases now.
        trial: What its trials have shown of the work on its proposals, one line each; empty without one.
    """

    id: str
    index: int
    created_at: str
    steps: int
    seconds: float
    cases: int
    learned: int
    score: float | None
    low: float | None
    high: float | None
    score_split: str
    live: bool
    pinned: bool
    note: str
    comparison: ComparisonLine | None
    nothing_new: bool
    score_note: str = ""
    calibration: str = ""
    candidate: bool = False
    gate: tuple[str, ...] = ()
    before: bool = False
    on_trial: bool = False
    trial: tuple[str, ...] = ()

    @property
    def interval_words(self) -> str:
        """The interval of the score, or why there is none."""
        return interval_words(Interval(self.score or 0.0, self.low, self.high, note=self.score_note))


def list_models(workspace: Workspace) -> tuple[ModelLine, ...]:
    """Every model by index."""
    with workspace.store.read() as tx:
        return model_lines(tx)


def model_lines(tx: Reader) -> tuple[ModelLine, ...]:
    """Every model by index, within a transaction."""
    learned, live, choices = tx.learned_models(), tx.live_model(), tx.find(LiveChoice)
    scores = best_scores(tx.current_evaluations())
    pinned = bool(choices) and choices[-1].pinned
    indices = {one.model.id: one.model.index for one in learned}
    repeats = _repeats(learned)
    lines = [
        _line(tx, m, scores.get(m.id), _said(choices, m.id, indices), repeat=m.id in repeats, live=live, pinned=pinned)
        for m in (one.model for one in learned)
    ]
    return tuple(sorted(_with_trials(tx, choices, lines), key=lambda line: line.index))


def _with_trials(tx: Reader, choices: Sequence[LiveChoice], lines: Sequence[ModelLine]) -> Iterator[ModelLine]:
    held, running = trials_among(choices), current_trial(tx)
    for line in lines:
        shown = [text for trial in held if trial.model_id == line.id for text in trial_effort(tx, trial).lines]
        yield replace(line, trial=tuple(shown), on_trial=running is not None and running.model_id == line.id) if shown else line


def best_scores(evaluations: Sequence[Evaluation]) -> dict[str, Evaluation]:
    """Model id → its evaluation on the split that speaks for it."""
    found: dict[str, Evaluation] = {}
    for evaluation in sorted(evaluations, key=lambda e: PREFERRED.index(e.split), reverse=True):
        found[evaluation.model_id] = evaluation
    return found


def _repeats(learned: Sequence[Learned]) -> set[str]:
    """Models whose annotations an older one had learned."""
    first: dict[str, str] = {}
    return {one.model.id for one in learned if first.setdefault(one.digest, one.model.id) != one.model.id}


@dataclass(frozen=True)
class _Said:
    """What the decisions say of a model today."""

    note: str
    comparison: Comparison | None
    candidate: bool = False
    gate: tuple[str, ...] = ()
    before: bool = False


def _said(choices: Sequence[LiveChoice], model_id: str, indices: Mapping[str, int]) -> _Said:
    """The last decision about a model, brought up to date: what was in use once is not said to be in use now."""
    about = [n for n, choice in enumerate(choices) if choice.judged_id == model_id]
    before = any(choice.model_id == model_id for choice in choices)
    if not about:
        return _Said("", None, before=before)
    compared = [choices[n].comparison for n in about if "verdict" in choices[n].comparison]
    comparison = Comparison.from_json(compared[-1]) if compared else None
    last = choices[about[-1]]
    later = [choice.model_id for choice in choices[about[-1] + 1 :] if choice.model_id != model_id]
    note = f"was in use until model {indices[later[0]]} took its place" if last.model_id == model_id and later else last.reason
    if last.model_id != model_id and choices[-1].model_id != last.model_id:
        note += f" (at that time; model {indices[choices[-1].model_id]} is in use now)"
    extra = f"; {comparison.text}" if comparison and comparison.text not in note else ""
    candidate = bool(last.comparison.get(CANDIDATE)) and choices[-1].model_id != model_id
    gates = [choices[n].comparison["gate"] for n in about if "gate" in choices[n].comparison]
    found = Gate.from_json(gates[-1]).lines if gates else ()
    return _Said(note + extra, comparison, candidate, found, before)


def _line(tx: Reader, model: Model, score: Evaluation | None, said: _Said, *, repeat: bool, live: Model | None, pinned: bool) -> ModelLine:
    is_live = live is not None and live.id == model.id
    shown = shown_interval(tx, score) if score else None
    learned = len(learned_of_snapshot(tx, model))
    return ModelLine(
        id=model.id,
        index=model.index,
        created_at=model.created_at,
        steps=int(model.metrics.get("steps", 0)),
        seconds=float(model.metrics.get("seconds", 0.0)),
        cases=int(model.metrics.get("annotated_cases", learned)),
        learned=learned,
        score=score.mean if score else None,
        low=shown.low if shown else None,
        high=shown.high if shown else None,
        score_split=score.split if score else "",
        live=is_live,
        pinned=is_live and pinned,
        note="; ".join(
            filter(
                None,
                (
                    said.note,
                    learner_words(model),
                    overlap_words(tx, model),
                    unlabelled_words(model),
                    stood_out_words(model),
                    weight_words(model),
                    start_words(model),
                    federation_words(model),
                ),
            )
        ),
        comparison=_comparison(said.comparison) if said.comparison else None,
        nothing_new=repeat,
        score_note=shown.note if shown else "",
        calibration=calibration_words(model),
        candidate=said.candidate,
        gate=said.gate,
        before=said.before,
    )


def unlabelled_words(model: Model) -> str:
    """How many unlabelled cases a model learned from, and how; empty without any."""
    count = int(model.metrics.get("unlabelled_cases", 0))
    return f"also learned from {counted(count, 'unlabelled case')} ({model.recipe['unlabelled']})" if count else ""


def stood_out_words(model: Model) -> str:
    """Which annotated cases a model left out because they stayed far harder to learn than the others; empty without any."""
    names = model.metrics.get("stood_out", [])
    if not names:
        return ""
    shown = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
    return f"left out {counted(len(names), 'annotated case')} that stood out by their loss ({shown})"


def overlap_words(tx: Reader, model: Model) -> str:
    """That a model was trained before labels were declared to overlap, which it proposes apart; empty for others."""
    task = max(tx.find(Task), key=lambda version: version.version)
    shared = [value for value in task.mask_values if value not in task.label_values]
    if not any(value >= int(model.recipe.get("classes", task.classes)) for value in shared):
        return ""
    return "trained before labels were declared to overlap: it proposes one of them per voxel, train again"


def weight_words(model: Model) -> str:
    """What marks ended up counting in a model that learned these weights; empty in others, and where no case had marks."""
    found = model.metrics.get("mark_weights", {}) if model.metrics.get("marked_cases") else {}
    return f"learned what marks count: {', '.join(f'{name} {value:.3g}' for name, value in found.items())}" if found else ""


def start_words(model: Model) -> str:
    """What a model began with, where that were not random weights or an earlier model."""
    return str(model.metrics.get("start", {}).get("note", ""))


def _comparison(found: Comparison) -> ComparisonLine:
    return ComparisonLine(found.with_index, found.difference, found.low, found.high, found.patients, found.verdict, found.text)
