"""A model card in Markdown: what a project knows of a model, and open fields for what only its lead can say.

The sections are those of Mitchell et al. 2019, "Model Cards for Model Reporting" (doi:10.1145/3287560.3287596, section 4). Figures
come from the model's evaluations, with intervals over patients; nothing is made up where nothing was measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.names import counted, first_named
from medloop.core.records import EVALUATION_SPLITS, Annotation, Case, Evaluation, Model
from medloop.core.seeds import generator
from medloop.loop.foundation.federations import federation_words
from medloop.loop.foundation.leaning import leaning_words
from medloop.loop.foundation.learned import learned_of_snapshot
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.calibration import calibration_words
from medloop.loop.judging.evaluation_cases import surface_words
from medloop.metrics.intervals import bootstrap_mean, interval_words
from medloop.models.foundation.nnunet_recipe import learner_words

FILE = "MODEL_CARD.md"
OPEN = "**To be filled in by the project's lead:**"
"""Begins every field that the project cannot know."""

_FLATTERED = "These cases also chose the weights, so that their figures flatter the model."
_METRICS = {
    "dice": "Dice overlap of each label (0 none, 1 perfect) between the model's mask and people's, of labels that the case annotates",
    "accuracy": "share of cases whose most probable class is the annotated one",
}


@dataclass(frozen=True)
class _Known:
    """What a card is made of."""

    workspace: Workspace
    model: Model
    learned: Sequence[Annotation]
    trained_on: Mapping[str, Case]
    evaluations: Sequence[Evaluation]
    judged_on: Mapping[str, Case]
    classes: Mapping[str, str]


def model_card(workspace: Workspace, model: Model) -> str:
    """The text of a model's card."""
    known = _look(workspace, model)
    parts = (_details, _use, _factors, _metrics, _evaluation_data, _training_data, _figures, _ethics, _caveats)
    return "\n".join(line for part in parts for line in (*part(known), ""))


def _look(workspace: Workspace, model: Model) -> _Known:
    with workspace.store.read() as tx:
        ids = learned_of_snapshot(tx, model)
        learned = [tx.get(Annotation, one) for one in ids]
        trained_on = {a.case_id: tx.get(Case, a.case_id) for a in learned}
        newest = {e.split: e for e in tx.current_evaluations(model_id=model.id)}
        evaluations = [newest[split] for split in EVALUATION_SPLITS if split in newest]
        judged_on = {i: tx.get(Case, i) for e in evaluations for i in e.per_case}
        names = {label.value: label.name for label in workspace.task.labels}
        tagged = tx.current_annotations(case_ids=sorted(judged_on)) if judged_on else []
        classes = {a.case_id: names[a.tag] for a in tagged if a.tag is not None and a.tag in names}
    return _Known(workspace, model, learned, trained_on, evaluations, judged_on, classes)


def _details(known: _Known) -> Iterator[str]:
    model, recipe = known.model, known.model.recipe
    yield f"# Model card: {plain(known.workspace.project.name)}, model {model.index}"
    yield ""
    yield "## Model details"
    yield f"- Made with medloop on {model.created_at[:10]}; id `{model.id}`, snapshot of annotations `{model.snapshot_id}`"
    kind = f"{recipe.get('dimension', '?')}D {known.workspace.task.kind}, {counted(len(model.weights), 'network')}"
    made = learner_words(model) or f"channels of its levels: {', '.join(map(str, recipe.get('features', ()))) or 'unknown'}"
    yield f"- {kind}, {made}"
    yield f"- Labels: {', '.join(plain(label.name) for label in known.workspace.task.labels)}"
    yield f"- Calibration: {calibration_words(model)}"
    yield from (f"- Trained by several sites: {plain(words)}" for words in (federation_words(model),) if words)
    yield f"- {OPEN} who developed it, licence, how to cite it, whom to ask"


def _use(known: _Known) -> Iterator[str]:  # noqa: ARG001  # a project does not know what its model is for
    yield "## Intended use"
    yield f"- {OPEN} primary intended uses"
    yield f"- {OPEN} primary intended users"
    yield f"- {OPEN} uses that are out of scope"


def _factors(known: _Known) -> Iterator[str]:
    groups = sorted({case.stratum for case in known.judged_on.values() if case.stratum})
    kinds = sorted({case.display.modality for case in known.judged_on.values() if case.display.modality})
    yield "## Factors"
    yield f"- Groups that the project knows (its strata): {first_named([plain(one) for one in groups]) if groups else 'none'}"
    yield f"- Modalities of the evaluated images: {', '.join(map(plain, kinds)) if kinds else 'not known'}"
    yield f"- {OPEN} groups, instruments and environments that matter, and why others were not evaluated"


def _metrics(known: _Known) -> Iterator[str]:
    yield "## Metrics"
    for metric in sorted({e.metric for e in known.evaluations}):
        yield f"- {_METRICS.get(metric, metric)}"
    yield "- Means are over patients; intervals are 95 % over patients (Bayesian bootstrap), and none is given for fewer than five patients"
    yield f"- {OPEN} thresholds for decisions, and why these metrics"


def _evaluation_data(known: _Known) -> Iterator[str]:
    yield "## Evaluation data"
    for one in known.evaluations:
        patients = len({known.judged_on[i].patient for i in one.per_case})
        yield f"- {one.split}: {counted(len(one.per_case), 'case')} of {counted(patients, 'patient')}, never trained on"
    if not known.evaluations:
        yield "- None: the model has not been evaluated in this project"
    yield f"- {OPEN} where these images come from, and why they were chosen"


def _training_data(known: _Known) -> Iterator[str]:
    patients = len({case.patient for case in known.trained_on.values()})
    minutes = sum(a.effort_seconds for a in known.learned) / 60
    yield "## Training data"
    yield f"- {counted(len(known.trained_on), 'case')} of {counted(patients, 'patient')}, {minutes:.1f} recorded minutes of annotation"
    yield f"- {OPEN} where these images come from, and who is in them"


def _figures(known: _Known) -> Iterator[str]:
    yield "## Quantitative analyses"
    if not known.evaluations:
        yield "- None: the model has not been evaluated in this project"
    for one in known.evaluations:
        yield f"### {one.split.capitalize()} cases"
        yield ""
        yield f"| What | Patients | Cases | {one.metric.capitalize()} | 95 % interval |"
        yield "| --- | --- | --- | --- | --- |"
        yield from _rows(known, one)
        yield ""
        if one.selected:
            yield f"- {_FLATTERED}"
        if one.leaning:
            yield f"- {leaning_words(len(one.leaning), len(one.per_case))}"
        if words := surface_words(one):
            yield f"- {words}"


def _rows(known: _Known, one: Evaluation) -> Iterator[str]:
    every = {case_id: float(np.mean(list(scores.values()))) for case_id, scores in one.per_case.items() if scores}
    yield _row(known, one, "all", every)
    by_label: dict[str, dict[str, float]] = {}
    by_group: dict[str, dict[str, float]] = {}
    for case_id, scores in one.per_case.items():
        for name, score in scores.items():
            label = known.classes.get(case_id, name) if one.metric == "accuracy" else name
            by_label.setdefault(label, {})[case_id] = float(score)
        if case_id in every and (group := known.judged_on[case_id].stratum):
            by_group.setdefault(group, {})[case_id] = every[case_id]
    for name, scores in sorted(by_label.items()):
        yield _row(known, one, f"label {name}", scores)
    for name, scores in sorted(by_group.items()):
        yield _row(known, one, f"group {name}", scores)


def _row(known: _Known, one: Evaluation, what: str, scores: Mapping[str, float]) -> str:
    ids = sorted(scores, key=lambda i: known.judged_on[i].name)
    patients = [known.judged_on[i].patient for i in ids]
    drawn = generator(known.workspace.settings.seed, "card", one.split, known.model.index, what)
    interval = bootstrap_mean([scores[i] for i in ids], patients, drawn)
    return f"| {plain(what)} | {len(set(patients))} | {len(ids)} | {interval.mean:.3f} | {interval_words(interval)} |"


def _ethics(known: _Known) -> Iterator[str]:  # noqa: ARG001  # a project does not know it
    yield "## Ethical considerations"
    yield f"- {OPEN} sensitive data, risks and harms, and what was done about them"


def _caveats(known: _Known) -> Iterator[str]:
    yield "## Caveats and recommendations"
    fair = [e for e in known.evaluations if e.split != "validation"]
    if not fair:
        yield "- No test or audit case judges this model: how well it does on new patients is not known"
    yield f"- {OPEN} limits, further tests, and what whoever uses it must know"


def plain(text: str) -> str:
    """Text that Markdown takes for nothing else."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#|!" else " " if not letter.isprintable() else letter for letter in text)
