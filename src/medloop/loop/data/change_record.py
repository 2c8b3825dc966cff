"""The record of a model's change in Markdown: what changed, how that was done and judged, on what evidence, and who decided.

The three parts are those of a predetermined change control plan (FDA, "Marketing Submission Recommendations for a Predetermined Change
Control Plan for Artificial Intelligence-Enabled Device Software Functions", 2025, section V): description of modifications, modification
protocol, impact assessment. What only people know stands open.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from medloop.core.names import counted
from medloop.core.records import EVALUATION_SPLITS, Annotation, Annotator, Case, Evaluation, Json, LiveChoice, Model, Snapshot
from medloop.core.settings import ProjectSettings
from medloop.loop.data.model_card import OPEN, plain
from medloop.loop.foundation.learned import learned_of_snapshot
from medloop.loop.foundation.readings import project_settings
from medloop.loop.foundation.trials import trials_among
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation_cases import shown_interval
from medloop.loop.judging.trial_effort import trial_effort
from medloop.metrics.intervals import interval_words
from medloop.metrics.release import Gate
from medloop.store.reader import Reader

FILE = "CHANGE_RECORD.md"
LONGEST_VALUE = 120
"""Characters of one entry of a recipe."""


@dataclass(frozen=True)
class _Decision:
    """One decision about a model, and who made it."""

    choice: LiveChoice
    actor: str


@dataclass(frozen=True)
class _Change:
    """What a record is made of; `older` is None for a first model."""

    name: str
    settings: ProjectSettings
    newer: Model
    older: Model | None
    decisions: Sequence[_Decision]
    learned: Mapping[str, Sequence[Annotation]]
    cases: Mapping[str, Case]
    figures: Sequence[tuple[Evaluation, str]]
    digest: str
    audit: tuple[int, str]
    trial: Sequence[str] = ()

    @property
    def gate(self) -> Gate | None:
        """What the gate found last."""
        found = [one.choice.comparison["gate"] for one in self.decisions if "gate" in one.choice.comparison]
        return Gate.from_json(found[-1]) if found else None


def change_record(workspace: Workspace, model: Model) -> str:
    """The text of the record of how a model came to replace another one, or did not."""
    with workspace.store.read() as tx:
        change = _look(tx, workspace, model)
    parts = (_heading, _modifications, _protocol, _impact, _decided)
    return "\n".join(line for part in parts for line in (*part(change), ""))


def _look(tx: Reader, workspace: Workspace, model: Model) -> _Change:
    choices = tx.find(LiveChoice)
    about = [choice for choice in choices if choice.judged_id == model.id]
    older = _held_against(tx, choices, about, model)
    learned = {one.id: [tx.get(Annotation, i) for i in learned_of_snapshot(tx, one)] for one in (model, older) if one}
    cases = {a.case_id: tx.get(Case, a.case_id) for found in learned.values() for a in found}
    newest = {e.split: e for e in tx.current_evaluations(model_id=model.id)}
    figures = [(newest[split], interval_words(shown_interval(tx, newest[split]))) for split in EVALUATION_SPLITS if split in newest]
    actors = {event.noun_id: event.actor for event in tx.events_about("choice")}
    names = {person.id: person.name for person in tx.find(Annotator)}
    last = tx.last_event()
    events = tx.events(after=last - 1, limit=1)
    return _Change(
        workspace.project.name,
        project_settings(tx),
        model,
        older,
        [_Decision(choice, names.get(actors.get(choice.id, ""), actors.get(choice.id, ""))) for choice in about],
        learned,
        cases,
        figures,
        tx.get(Snapshot, model.snapshot_id).digest,
        (last, events[0].digest if events else ""),
        [line for trial in trials_among(choices) if trial.model_id == model.id for line in trial_effort(tx, trial).lines],
    )


def _held_against(tx: Reader, choices: Sequence[LiveChoice], about: Sequence[LiveChoice], model: Model) -> Model | None:
    """The model that it was compared with last, else the one that was in use when it was first judged."""
    compared = [choice.comparison["with_index"] for choice in about if "with_index" in choice.comparison]
    if compared:
        return tx.find(Model, where={"index": compared[-1]}, limit=1)[0]
    before = [c.model_id for c in choices[: choices.index(about[0])] if c.model_id != model.id] if about else []
    return tx.get(Model, before[-1]) if before else None


def _heading(change: _Change) -> Iterator[str]:
    name, newer = plain(change.name), change.newer
    first = "the first one" if change.decisions else "from before decisions were kept"
    against = f"in place of model {change.older.index}" if change.older else first
    yield f"# Change record: {name}, model {newer.index}, {against}"
    yield ""
    yield f"- Made with medloop; id `{newer.id}`, trained {newer.created_at[:16]}Z"
    number, digest = change.audit
    yield f"- The audit had {counted(number, 'event')} when this was written, the last one with the digest `{digest}`"


def _modifications(change: _Change) -> Iterator[str]:
    yield "## 1 Description of modifications"
    ours = {a.id: a for a in change.learned[change.newer.id]}
    if change.older is None:
        what = "A first model" if change.decisions else "A model; which one was in use before is not known"
        yield f"- {what}, from {counted(len(ours), 'annotation')} of {_patients(change, ours.values())}"
    else:
        theirs = {a.id: a for a in change.learned[change.older.id]}
        new, gone = [a for i, a in ours.items() if i not in theirs], [a for i, a in theirs.items() if i not in ours]
        yield f"- Data: {counted(len(ours), 'annotation')} of {_patients(change, ours.values())}, before {len(theirs)}"
        yield f"- New: {counted(len(new), 'annotation')} of {_patients(change, new)}; no longer used: {counted(len(gone), 'annotation')}"
        yield from _recipe_lines(change.older.recipe, change.newer.recipe)
    yield f"- {OPEN} why the model was changed, and what of its use changes"


def _patients(change: _Change, found: Iterable[Annotation]) -> str:
    return counted(len({change.cases[a.case_id].patient for a in found}), "patient")


def _recipe_lines(before: Json, now: Json) -> Iterator[str]:
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if not changed:
        yield "- Recipe: the same"
    for name in changed:
        yield f"- Recipe: `{name}` was {_value(before, name)}, is {_value(now, name)}"


def _value(recipe: Json, name: str) -> str:
    """One entry of a recipe as code; nnU-Net's plans and data set are whole documents, of which the digest tells that they changed."""
    if name not in recipe:
        return "not there"
    value = recipe[name]
    shown = str(value).replace("`", "'")
    if len(shown) <= LONGEST_VALUE:
        return f"`{shown}`"
    digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
    return f"`{shown[:LONGEST_VALUE]}…` (SHA-256 {digest}…)"


def _protocol(change: _Change) -> Iterator[str]:
    newer = change.newer
    yield "## 2 Modification protocol"
    yield f"- Training: {newer.metrics.get('steps', '?')} steps from the snapshot `{newer.snapshot_id}` (digest `{change.digest}`)"
    yield f"- Weights: {', '.join(f'`{one}`' for one in newer.weights) or 'none'} (SHA-256)"
    for one, _ in change.figures:
        yield f"- Evaluation: {counted(len(one.per_case), f'{one.split} case')}, never trained on"
    yield f"- Acceptance: {_acceptance(change)}"
    yield f"- {OPEN} who verified the protocol, and how the change reaches its users"


def _acceptance(change: _Change) -> str:
    """By what it was judged, where it was by the gate; else what the settings say now."""
    settings, gate = change.settings, change.gate
    if gate is None and settings.release != "gate":
        return "a new model replaces the one in use unless the 95 % interval of the difference shows it to be worse"
    found = [] if gate is None else gate.findings
    margin = next((one.margin for one in found), settings.release_margin)
    group = next((one.margin for one in found if one.kind != "all"), settings.release_group_margin)
    most = next((one.most for one in gate.costs), settings.release_slowdown) if gate else settings.release_slowdown
    return (
        f"lower end of a one-sided 95 % interval over patients at least −{margin:g} for all cases and −{group:g} for each label, subgroup "
        f"and calibration; at most {most:g} times the time and memory; else a person decides"
    )


def _impact(change: _Change) -> Iterator[str]:
    yield "## 3 Impact assessment"
    for one, words in change.figures:
        yield f"- {one.split.capitalize()} {one.metric}: {one.mean:.3f} ({words})"
    compared = [d.choice.comparison["text"] for d in change.decisions if "text" in d.choice.comparison]
    yield f"- Comparison: {compared[-1] if compared else 'with no other model on the same patients'}"
    if change.gate is not None:
        yield ""
        yield "| What | Patients | Difference | At worst | Allowed | |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for found in change.gate.findings:
            low = "–" if found.low is None else f"{found.low:+.3f}"
            name = plain(" ".join(filter(None, (found.kind if found.kind in ("all", "label") else "", found.name))))
            difference = f"{found.difference:+.3f}" if found.patients else "–"
            yield f"| {name} | {found.patients} | {difference} | {low} | {-found.margin:+.3f} | {found.verdict} |"
        yield ""
        yield from (f"- {plain(cost.text[:1].upper() + cost.text[1:])}" for cost in change.gate.costs)
        if not change.gate.costs:
            yield "- Time and memory of a proposal were not measured"
        if change.gate.alike is not None:
            yield f"- A model as good as the one in use passes this gate in {change.gate.alike:.0%} of such comparisons (bootstrap)"
    yield from (f"- Trial: {plain(line)}" for line in change.trial)
    yield f"- {OPEN} benefits and risks of the change, and what limits the risks"


def _decided(change: _Change) -> Iterator[str]:
    yield "## Decisions"
    if not change.decisions:
        yield "- None is recorded"
    for one in change.decisions:
        yield f"- {one.choice.created_at[:16]}Z, {plain(one.actor)}: {plain(one.choice.reason)}"
        if signature := one.choice.comparison.get("signature"):
            signed = f"Signed by {plain(signature['name'])} at {signature['time'][:16]}Z ({signature['meaning']})"
            yield f"    - {signed}: {plain(signature['why'])}"
