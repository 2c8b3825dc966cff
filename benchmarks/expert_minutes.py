"""Simulated minutes of an expert until a model reaches 98 % of what it reaches with all answers.

Ways to work, each with the same training budget per round and on the same held-out patients:

    manual      cases in random order, every slice drawn by hand
    random      random order; from the second round on the newest model's proposal is mended with a brush on every slice
    brush       medloop without prompts: the first cases drawn on every few slices, those between filled in; then cases chosen by doubt
                and spread (`suggestive`), and of each only the slices with most expected errors looked at and mended with a brush
    medloop     the same with prompts: clicks first, where a click is cheaper than the brush
    sparse      medloop with slices chosen evenly: cases chosen by doubt and spread, every few slices of the newest proposal mended
                with a brush, the outlines of those between interpolated
    carried     as sparse, but what was mended is carried over to the slices between (`medloop.interaction.carrying`), so that fewer
                need mending (`--mended-every`)
    slices      cases chosen by doubt and spread, every few slices of the newest proposal mended (`--mended-every`), and only these learned
                from: all others stay unknown, in the first round too
    cheapest    as sparse, but each slice is corrected by the cheapest interaction that is enough (accept, click, scribble, push, brush,
                redraw: `medloop.interaction.simulated_users.cheapest`)
    needed      as cheapest, but first every few slices of the proposal are viewed (`--viewed-every`), then those half-way beside ones
                that had to be corrected, and those between are carried over
    weighted    as random, but voxels the expert mended count four times as much in training as those merely accepted
                (`correction_weight`); run only when asked for

In `sparse` and `carried` the slices that were looked at count `--drawn-weight` times as much in training as those filled in; the product
does the same (`medloop.loop.learning.voxel_weights`).

With `--last` the newest model of each way that proposes meets so many cases more after the last round, as the last third of a project:
triage lets the surest pass unseen (`medloop.quality.deferral`, thresholds from the held-out cases), the others are worked on as before.
Bad cases among those passed are counted, and what correcting them costs.

All work is counted gesture by gesture and priced by each of `--effort`; what is cheapest is decided by the stated model.

Slices nobody looked at are accepted as proposed or filled in; beyond the first and last drawn they stay unknown. Trainings go
on from the last model ("updates"). The expert mends what is noticeable (`correcting`), so answers made from
proposals keep small errors; models are always judged on the truth. Minutes follow from the effort model printed first: they
are stated, not measured on people.
A run that was interrupted goes on where it stopped when `--work` names the same folder.

    python benchmarks/expert_minutes.py --data ../shared/data/hippocampus --seeds 1 --json minutes.json --work minutes
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from correcting import UNKNOWN, Answered, Clicker, click_and_mend, draw_slices, mend_slices
from full_data import Question, machine, question_of, read_case, shape_of, split
from medloop.core.errors import MedloopError
from medloop.core.image import Image, Mask
from medloop.core.seeds import derive_seed, generator
from medloop.datasets.dataset import CaseSource, Dataset
from medloop.datasets.discover import open_dataset
from medloop.interaction.attention import error_chances, rank_places
from medloop.interaction.carrying import carry_corrections
from medloop.interaction.interpolate import interpolate_slices
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.simulated_users.cheapest import Prompting, work_through, work_where_needed
from medloop.interaction.simulated_users.effort import EFFORT_MODELS, EffortModel
from medloop.interaction.simulated_users.outlining import on_slices
from medloop.interaction.simulated_users.robots import test_robot
from medloop.interaction.simulated_users.tally import Tally
from medloop.loop.learning.voxel_weights import DRAWN_WEIGHT
from medloop.metrics.intervals import bootstrap_mean, mean_over_runs
from medloop.metrics.overlap import dice
from medloop.models.foundation.recipes import Recipe, choose_recipe, fingerprint
from medloop.quality.agreement import sample_agreement
from medloop.quality.deferral import fit_deferral
from medloop.quality.triage import GOOD_DICE
from medloop.query.pool import Pool
from medloop.query.strategies import strategy

AIMING = "every outline starts with aiming, which takes as long as a click"

USUAL_WAYS = ("manual", "random", "slices", "sparse", "carried", "brush", "medloop")
TOUCHED = "touched:"
"""Before a case's name: which of its voxels the expert has made."""

SAMPLES = 4
"""Of the model, for triage."""

TARGET = 0.98
"""Share of the full-data Dice to reach."""


@dataclass(frozen=True)
class Way:
    """One way to work.

    Attributes:
        proposes: Whether proposals are shown from the second round on.
        chooses: Whether cases, and slices within them, are chosen by the model's doubt.
        prompts: Whether clicks come before the brush.
        fills: Whether every few slices of a proposal are mended and those between filled in from these, as they are where there
            is no proposal.
        carries: Whether they are filled in by carrying over what was mended, instead of by interpolating outlines.
        partial: Whether only slices that were looked at become an answer; all others stay unknown, and training ignores them.
        cheapest: Whether each slice is corrected by the cheapest interaction that is enough.
        correction_weight: How much a mended voxel counts in training against an accepted one.
    """

    proposes: bool
    chooses: bool
    prompts: bool
    fills: bool = False
    carries: bool = False
    partial: bool = False
    cheapest: bool = False
    correction_weight: float = 1.0


WAYS = {
    "manual": Way(proposes=False, chooses=False, prompts=False),
    "random": Way(proposes=True, chooses=False, prompts=False),
    "brush": Way(proposes=True, chooses=True, prompts=False),
    "medloop": Way(proposes=True, chooses=True, prompts=True),
    "sparse": Way(proposes=True, chooses=True, prompts=False, fills=True),
    "carried": Way(proposes=True, chooses=True, prompts=False, fills=True, carries=True),
    "cheapest": Way(proposes=True, chooses=True, prompts=False, fills=True, cheapest=True),
    "needed": Way(proposes=True, chooses=True, prompts=False, fills=True, carries=True, cheapest=True),
    "slices": Way(proposes=True, chooses=True, prompts=False, fills=True, partial=True),
    "weighted": Way(proposes=True, chooses=False, prompts=False, correction_weight=4.0),
}


@dataclass(frozen=True)
class Read:
    """A case in memory."""

    name: str
    patient: str
    image: Image
    truth: Mask


class Trial:
    """One seed: its cases, its recipe, and a folder that remembers what is done.

    Args:
        dataset: The data set.
        question: Its labels.
        seed: Root of all chance.
        options: The command line.
        folder: Where results of this seed are kept.
    """

    def __init__(self, dataset: Dataset, question: Question, seed: int, options: argparse.Namespace, folder: Path) -> None:
        self.question, self.seed, self.options, self.folder = question, seed, options, folder
        training, held_out = split([case for case in dataset.cases if case.labelled], seed)
        order = generator(seed, "random order").permutation(len(training))
        self.training = [self._read(training[n], question) for n in order[: options.pool]]
        self.held_out = [self._read(case, question) for case in held_out[: options.held_out]]
        self.other_held_out = held_out[options.held_out :]
        self.effort = EffortModel()

    @staticmethod
    def _read(case: CaseSource, question: Question) -> Read:
        image, truth = read_case(case, question)
        assert isinstance(truth, Mask)
        return Read(case.name, case.patient, image, truth)

    def recipe(self, name: str, steps: int) -> Recipe:
        """A small network with a fixed number of steps; a way with prompts trains one that takes them."""
        found = fingerprint([shape_of(case.image) for case in self.training])
        recipe = choose_recipe(
            found,
            kind="segmentation",
            classes=self.question.classes,
            minutes=8.0,
            threads=1,
            seed=derive_seed(self.seed, "expert minutes", name.split("/")[-1]),
        )
        narrow = tuple(max(8, round(width * self.options.width)) for width in recipe.features)
        recipe = dataclasses.replace(recipe, features=narrow, steps=steps, validations=0)
        way = WAYS.get(name.split("/")[0])
        if way is None:
            return recipe
        weight = self.options.drawn_weight if way.fills and not way.partial else way.correction_weight
        return dataclasses.replace(recipe, guided=way.prompts, touched_weight=weight)

    def train(self, name: str, answers: dict[str, Any], steps: int, initial: bytes | None) -> Any:
        """Train on masks by case name, or go on where an interrupted training was; a predictor."""
        from medloop.interaction.interactive_network.rehearsal import Rehearsal
        from medloop.models.inference.predict import Predictor
        from medloop.models.training.batches import TrainingCase
        from medloop.models.training.train import train

        recipe = self.recipe(name, steps)
        by_name = {case.name: case for case in self.training}

        def case_of(n: str) -> TrainingCase:
            image, touched = by_name[n].image, answers.get(TOUCHED + n)
            return TrainingCase(n, lambda: (image, Mask(answers[n], image.grid)), touched=None if touched is None else lambda: touched)

        cases = [case_of(n) for n in answers if not n.startswith(TOUCHED)]
        guide = Rehearsal(spacing_mm=recipe.spacing_mm or self.training[0].image.grid.spacing_mm) if recipe.guided else None
        start = [initial] if initial else []
        trained = train(recipe, cases, [], self.folder / name, report=lambda _: True, initial=start, guide=guide)
        return Predictor.load(recipe, [file.read_bytes() for file in trained.weights])

    def samples(self, predictor: Any, case: Read, count: int) -> Any:
        """The predictor's answer to a case."""
        return predictor.predict(case.image, samples=count, rng=generator(self.seed, "predict", case.name))

    def score(self, predictor: Any) -> list[float]:
        """Mean Dice over labels of every held-out case."""
        labels = range(1, self.question.classes)
        masks = [self.samples(predictor, case, 1).probabilities.argmax(axis=0).astype(np.uint8) for case in self.held_out]
        return [float(np.mean(list(dice(m, c.truth.array, labels).values()))) for m, c in zip(masks, self.held_out, strict=True)]

    def noted(self, name: str, make: Any) -> dict[str, Any]:
        """The result of that name; made and written down when it is missing."""
        note = self.file(name, "json")
        if not note.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            begun = time.process_time()
            made = make()
            note.write_text(json.dumps({**made, "cpu_seconds": round(time.process_time() - begun, 1)}))
        found: dict[str, Any] = json.loads(note.read_text())
        shown = f"Dice {np.mean(found['dice']):.4f}, {found.get('seconds', 0) / 60:.1f} expert minutes, {found.get('cases', 0)} cases"
        print(f"seed {self.seed} {name}: {shown} ({found['cpu_seconds']:.0f} CPU s)", file=sys.stderr, flush=True)
        return found

    def file(self, name: str, ending: str) -> Path:
        """Where a result of that name is kept."""
        return self.folder / f"{name.replace('/', '-')}.{ending}"

    def weights(self, name: str) -> bytes | None:
        """Of a finished training."""
        from medloop.models.foundation.checkpoint import checkpoint_file, read_checkpoint

        result = self.folder / name / "member-0"
        return checkpoint_file(result).read_bytes() if read_checkpoint(result) else None


def full_data(trial: Trial) -> dict[str, Any]:
    """The bound: every training case, as many steps as a way has in all its rounds."""
    options = trial.options
    steps = options.first_steps + (options.rounds - 1) * options.steps

    def make() -> dict[str, Any]:
        answers = {case.name: case.truth.array for case in trial.training}
        return {"dice": trial.score(trial.train("full", answers, steps, None)), "cases": len(answers)}

    return trial.noted("full", make)


def work(trial: Trial, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Dice and expert seconds after each round, by way; ways take turns, so that an unfinished run compares equal rounds."""
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(trial.options.rounds):
        for name in names:
            rounds[name].append(trial.noted(key(name, number), lambda name=name, n=number: one_round(trial, name, WAYS[name], n)))  # type: ignore[misc]
        print_curves(trial, rounds)
    return rounds


def key(name: str, number: int) -> str:
    """Where a round is kept: ways that draw the first cases in full share that round, and its chance."""
    return "drawn/0" if number == 0 and not WAYS[name].chooses else f"{name}/{number}"


def one_round(trial: Trial, name: str, way: Way, number: int) -> dict[str, Any]:
    """Choose, answer, train on everything so far, measure."""
    here, last = key(name, number), key(name, number - 1)
    answers: dict[str, Any] = dict(np.load(trial.file(last, "npz"))) if number else {}
    predictor = _predictor(trial, last) if number else None
    chosen = choose(trial, way, predictor, answers)
    engine = _engine(trial, last) if number and way.prompts else None
    before = json.loads(trial.file(last, "json").read_text()) if number else {"tally": Tally().to_json(), "saved": 0.0}
    prompts = before["saved"] >= 0  # who lost time with prompts gives them up
    done = [answer(trial, way, predictor, engine or (ClassicalEngine() if prompts else None), case) for case in chosen]
    for case, given in zip(chosen, done, strict=True):
        answers |= {case.name: given.whole, TOUCHED + case.name: given.touched}
    np.savez_compressed(trial.file(here, "npz"), **answers)
    steps = trial.options.steps if number else trial.options.first_steps
    trained = trial.train(here, answers, steps, trial.weights(last) if number else None)
    tally = sum((given.tally for given in done), Tally.from_json(before["tally"]))
    return {
        "dice": trial.score(trained),
        "seconds": tally.seconds(trial.effort),
        "tally": tally.to_json(),
        "saved": before["saved"] + sum(given.saved for given in done),
        "otherwise": [sum((given.otherwise[n] for given in done), Tally()).to_json() for n in (0, 1)],
        "cases": sum(not name.startswith(TOUCHED) for name in answers),
        "annotation_dice": float(np.mean([_dice(trial, given.whole, case) for case, given in zip(chosen, done, strict=True)])),
    }


@dataclass(frozen=True, eq=False)
class Given:
    """What the expert makes of a case.

    Attributes:
        whole: Label values, shape (I, J, K), `UNKNOWN` where nothing is known.
        touched: Voxels of the expert's own rather than accepted ones, likewise.
        tally: Of the work.
        saved: Seconds that prompts saved, where they were tried.
        otherwise: The same slices corrected with the brush alone, and drawn from nothing.
    """

    whole: Any
    touched: Any
    tally: Tally
    saved: float = 0.0
    otherwise: tuple[Tally, Tally] = (Tally(), Tally())

    @classmethod
    def of(cls, answered: Answered, touched: Any) -> "Given":
        """From the older simulated expert, whose every click is followed by a second look."""
        slices, clicks = answered.slices + answered.clicks, answered.outlines + answered.clicks
        return cls(answered.whole, touched, Tally(viewed=slices, aims=clicks, drawn=answered.outlined))


def _dice(trial: Trial, mask: Any, case: Read) -> float:
    """Of what is known of it."""
    known = np.where(mask == UNKNOWN, case.truth.array, mask)
    return float(np.mean(list(dice(known, case.truth.array, range(1, trial.question.classes)).values())))


def _predictor(trial: Trial, name: str) -> Any:
    from medloop.models.inference.predict import Predictor

    weights = trial.weights(name)
    assert weights is not None
    return Predictor.load(trial.recipe(name, 1), [weights])


def _engine(trial: Trial, name: str) -> Any:
    from medloop.interaction.interactive_network.network import NetworkEngine

    weights = trial.weights(name)
    assert weights is not None
    return NetworkEngine.load(trial.recipe(name, 1), [weights])


def choose(trial: Trial, way: Way, predictor: Any, answers: dict[str, Any]) -> list[Read]:
    """The next cases: in random order, or by `suggestive` among the next so many of the random order."""
    left = [case for case in trial.training if case.name not in answers]
    if predictor is None or not way.chooses:
        return left[: trial.options.batch]
    looked = left[: trial.options.candidates]
    found = [trial.samples(predictor, case, 1) for case in looked]
    doubt = np.array([_doubt(answer.samples) for answer in found])
    pool = Pool(tuple(case.name for case in looked), {"entropy": doubt}, np.stack([answer.features for answer in found]), None)
    picks = strategy("suggestive").select(pool, trial.options.batch * 2, generator(trial.seed, "suggestive"))
    return [looked[pick.index] for pick in picks]


def _doubt(samples: Any) -> float:
    """Mean chance of error over the proposed structure."""
    mask = samples.mean(axis=0).argmax(axis=0).astype(np.uint8)
    chances = error_chances(samples, mask)
    return float(chances[mask > 0].mean()) if mask.any() else 1.0


def answer(trial: Trial, way: Way, predictor: Any, engine: Any, case: Read) -> Given:
    """What the expert makes of a case."""
    axis = case.image.grid.paging_axis
    every = list(range(case.truth.array.shape[axis]))
    if predictor is None or not way.proposes:
        slices = every[_first(len(every), trial.options.every) :: trial.options.every] if way.chooses else every
        given = draw_slices(case.truth.array, axis, slices, trial.effort)
        whole = given.mask if way.partial else fill_between(trial, case, given.mask, axis, slices)
        return Given.of(dataclasses.replace(given, whole=whole), given.mask != UNKNOWN)
    samples = trial.samples(predictor, case, 2 if way.chooses else 1).samples
    proposal = samples.mean(axis=0).argmax(axis=0).astype(np.uint8)
    if way.cheapest:
        return correct_cheaply(trial, way, engine, case, proposal)
    step = (trial.options.mended_every if way.carries or way.partial else trial.options.every) if way.fills else 1
    slices = every[_first(len(every), step) :: step]
    if way.chooses and not way.fills:
        chances = error_chances(samples, proposal)
        slices = [place.index for place in rank_places(chances, axes=(axis,), count=-(-len(every) // 3), effort=trial.effort)]
    given = mend(trial, engine if way.prompts else None, case, proposal, axis, slices)
    if way.partial:
        given = dataclasses.replace(given, whole=given.mask)
    elif way.carries:
        given = dataclasses.replace(given, whole=carry(trial, case, proposal, given.whole, slices))
    elif way.fills:
        filled = fill_between(trial, case, given.mask, axis, slices)
        given = dataclasses.replace(given, whole=np.where(filled == UNKNOWN, proposal, filled))
    looked_at: Any = given.mask != UNKNOWN
    return Given.of(given, looked_at if way.fills else looked_at & (given.mask != proposal))


def _first(count: int, step: int) -> int:
    """The first of every few slices; of fewer than that the last."""
    return min(step // 2, count - 1)


def correct_cheaply(trial: Trial, way: Way, engine: Any, case: Read, proposal: Any) -> Given:
    """The proposal corrected by the cheapest interactions, and the slices between filled in as the way does."""
    axis, labels, truth = case.image.grid.paging_axis, range(1, trial.question.classes), case.truth.array
    rng = generator(trial.seed, "prompts", case.name)
    prompting = Prompting(engine, engine.embed(case.image), labels, rng) if engine else None
    if way.carries:
        worked = work_where_needed(proposal, truth, axis, trial.options.viewed_every, trial.effort, prompting)
    else:
        queried = range(_first(truth.shape[axis], trial.options.every), truth.shape[axis], trial.options.every)
        worked = work_through(proposal, truth, axis, queried, trial.effort, prompting)
    slices = sorted(visit.index for visit in worked.visits)
    touched = on_slices(proposal.shape, axis, slices)
    if way.carries:
        whole = carry(trial, case, proposal, worked.mask, slices)
    else:
        filled = fill_between(trial, case, np.where(touched, worked.mask, np.uint8(UNKNOWN)), axis, slices)
        whole = np.where(filled == UNKNOWN, worked.mask, filled)
    brushed = Given.of(mend_slices(proposal, truth, axis, slices, trial.effort), None).tally
    drawn = Given.of(draw_slices(truth, axis, slices, trial.effort), None).tally
    return Given(whole, touched, worked.tally, sum(visit.saved for visit in worked.visits), (brushed, drawn))


def carry(trial: Trial, case: Read, proposal: Any, mended: Any, slices: list[int]) -> Any:
    """What was corrected on some slices, carried over to those between; a single slice has none."""
    if len(slices) < 2:
        return mended
    answered = dict.fromkeys(range(1, trial.question.classes), slices)
    grid = case.image.grid
    return carry_corrections(proposal, mended, axis=grid.paging_axis, answered=answered, spacing_mm=grid.spacing_mm)


def fill_between(trial: Trial, case: Read, mask: Any, axis: int, slices: list[int]) -> Any:
    """Slices between those drawn, interpolated label by label; those beyond stay unknown."""
    if len(slices) < 2:
        return mask
    filled, spacing = np.where(mask == UNKNOWN, np.uint8(0), mask), case.image.grid.spacing_mm
    for label in range(1, trial.question.classes):
        filled = interpolate_slices(filled, axis=axis, answered=slices, label=label, spacing_mm=spacing)
    between = np.zeros(mask.shape, dtype=bool)
    np.moveaxis(between, axis, 0)[min(slices) : max(slices) + 1] = True
    return np.where(between, filled, mask)


def mend(trial: Trial, engine: Any, case: Read, proposal: Any, axis: int, slices: list[int]) -> Answered:
    """With clicks where there is an engine to answer them, else with the brush alone."""
    if engine is None:
        return mend_slices(proposal, case.truth.array, axis, slices, trial.effort)
    return click_and_mend(
        proposal,
        case.truth.array,
        axis,
        slices,
        trial.effort,
        Clicker(
            engine=engine,
            embedding=engine.embed(case.image),
            robot=test_robot("centre"),
            labels=range(1, trial.question.classes),
            rng=generator(trial.seed, "clicks", case.name),
        ),
    )


def last_cases(trial: Trial, name: str) -> list[dict[str, Any]]:
    """The cases after the last round, passed unseen or worked on, and what that costs; for each Dice that counts as good."""
    options, way = trial.options, WAYS[name]
    here = key(name, options.rounds - 1)
    predictor, done = _predictor(trial, here), np.load(trial.file(here, "npz"))
    cases = [case for case in trial.training if case.name not in done][: options.last]
    known = [*trial.held_out, *(trial._read(case, trial.question) for case in trial.other_held_out)]

    def judged(case: Read) -> tuple[float, float]:
        found = trial.samples(predictor, case, SAMPLES)
        return sample_agreement(found.samples), _dice(trial, found.probabilities.argmax(axis=0).astype(np.uint8), case)

    calibration, signs = list(map(judged, known)), list(map(judged, cases))
    saved = json.loads(trial.file(here, "json").read_text())["saved"]
    given = [answer(trial, way, predictor, ClassicalEngine() if saved >= 0 and way.cheapest else None, case) for case in cases]
    patients = [case.patient for case in known]
    return [_passed(trial, calibration, patients, list(zip(cases, signs, given, strict=True)), good) for good in options.good]


def _passed(
    trial: Trial,
    calibration: list[tuple[float, float]],
    patients: list[str],
    last: list[tuple[Read, tuple[float, float], Given]],
    good: float,
) -> dict[str, Any]:
    """What triage with one limit lets pass: of each case its agreement, its proposal's true Dice, and the work it would be."""
    scores, truth = zip(*calibration, strict=True)
    try:
        rule = fit_deferral(scores, truth, risk=trial.options.risk, good=good, hard=min(0.5, good), patients=patients)
    except MedloopError as error:
        return {"good": good, "cases": len(last), "refused": str(error)}
    passes = [decision == "accept" for decision in rule.decide([score for _, (score, _), _ in last])]
    unseen = [one for one, ok in zip(last, passes, strict=True) if ok]
    worked = [one for one, ok in zip(last, passes, strict=True) if not ok]
    wrong = [one for one in unseen if one[1][1] < good]
    return {
        "good": good,
        "cases": len(last),
        "passed": len(unseen),
        "bad_passed": len(wrong),
        "dice_passed": float(np.mean([value for _, (_, value), _ in unseen])) if unseen else None,
        "dice_worked": float(np.mean([_dice(trial, given.whole, case) for case, _, given in worked])) if worked else None,
        "tally": sum((given.tally for _, _, given in worked), Tally()).to_json(),
        "wrong_passes": sum((given.tally for _, _, given in wrong), Tally()).to_json(),
        "without_triage": sum((given.tally for _, _, given in last), Tally()).to_json(),
        "drawing": sum((_drawing(trial, case) for case, _, _ in last), Tally()).to_json(),
    }


def _drawing(trial: Trial, case: Read) -> Tally:
    axis = case.image.grid.paging_axis
    return Given.of(draw_slices(case.truth.array, axis, range(case.truth.array.shape[axis]), trial.effort), None).tally


def print_last(results: Sequence[dict[str, Any]]) -> None:
    """One line per seed, way, limit and effort model."""
    for result in results:
        for name, limits in result["last"].items():
            for found in limits:
                head = f"seed {result['seed']} {name}, last {found['cases']} cases, good from Dice {found['good']:g}"
                if "refused" in found or not found["cases"]:
                    print(f"{head}: {found.get('refused', 'none left')}")
                    continue
                print(f"{head}: {found['passed']} passed unseen (Dice {found['dice_passed']}), {found['bad_passed']} of them bad")
                for model in result["minutes"]:
                    print(f"  {model}, of drawing: {_prices(found, EFFORT_MODELS[model])}")


def _prices(found: dict[str, Any], effort: EffortModel) -> str:
    parts = ("tally", "wrong_passes", "without_triage", "drawing")
    work, wrong, every, drawing = (Tally.from_json(found[part]).seconds(effort) for part in parts)
    return f"{work / drawing:.1%}, {(work + wrong) / drawing:.1%} with wrong passes corrected later, {every / drawing:.1%} without triage"


def minutes_to(target: float, rounds: Sequence[dict[str, Any]], effort: EffortModel | None = None) -> float | None:
    """Expert minutes at which the curve first reaches a Dice, linear between rounds; None when it never does.

    Args:
        target: The Dice.
        rounds: What was measured after each.
        effort: What prices the work; None takes the seconds that were noted.
    """
    minutes = [(Tally.from_json(r["tally"]).seconds(effort) if effort else r["seconds"]) / 60 for r in rounds]
    reached = [float(np.mean(r["dice"])) for r in rounds]
    for n, value in enumerate(reached):
        if value >= target:
            if n == 0:
                return minutes[0]
            share = (target - reached[n - 1]) / (value - reached[n - 1])
            return minutes[n - 1] + share * (minutes[n] - minutes[n - 1])
    return None


def run_seed(dataset: Dataset, question: Question, seed: int, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Everything of one seed."""
    trial = Trial(dataset, question, seed, options, folder)
    bound = full_data(trial)
    target = TARGET * float(np.mean(bound["dice"]))
    ways = work(trial, options.ways.split(","))
    proposing = [name for name in ways if WAYS[name].proposes]
    return {
        "seed": seed,
        "full": bound,
        "target": target,
        "interval": _interval(trial, bound["dice"]),
        "ways": ways,
        "minutes": {
            model: {name: minutes_to(target, rounds, EFFORT_MODELS[model]) for name, rounds in ways.items()} for model in options.effort
        },
        "per_case_minutes": {name: rounds[0]["seconds"] / 60 / rounds[0]["cases"] for name, rounds in ways.items()},
        "last": {name: last_cases(trial, name) for name in proposing} if options.last else {},
    }


def _interval(trial: Trial, scores: list[float]) -> list[float]:
    found = bootstrap_mean(scores, [case.patient for case in trial.held_out], generator(trial.seed, "bootstrap"))
    return [float("nan") if end is None else end for end in (found.low, found.high)]  # nan: too few patients


def print_curves(trial: Trial, ways: dict[str, list[dict[str, Any]]]) -> None:
    """Where every way stands."""
    for name, rounds in ways.items():
        curve = ", ".join(f"{np.mean(r['dice']):.4f} ({r['seconds'] / 60:.1f})" for r in rounds)
        print(f"seed {trial.seed} {name}, Dice (expert minutes): {curve}", file=sys.stderr, flush=True)


def print_table(results: Sequence[dict[str, Any]]) -> None:
    """One line per seed, way and effort model."""
    print("| seed | effort | way | minutes to the target | of manual | of random | Dice (minutes by the stated model) after each round |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for result in results:
        reached = np.mean(result["full"]["dice"])
        print(f"| {result['seed']} | | full data | – | – | – | {reached:.4f}, so the target is {result['target']:.4f} |")
        for model, minutes in result["minutes"].items():
            for name, rounds in result["ways"].items():
                curve = ", ".join(f"{np.mean(r['dice']):.4f} ({r['seconds'] / 60:.0f})" for r in rounds)
                shares = " | ".join(_share(minutes[name], minutes.get(other)) for other in ("manual", "random"))
                shown = "not reached" if minutes[name] is None else f"{minutes[name]:.1f}"
                print(f"| {result['seed']} | {model} | {name} | {shown} | {shares} | {curve} |")


def print_shares(results: Sequence[dict[str, Any]]) -> None:
    """Over seeds: each way's minutes as a share of drawing everything, and the worst effort model."""
    for name in results[0]["ways"] if "manual" in results[0]["ways"] else ():
        found = {model: [_ratio(r["minutes"][model], name) for r in results] for model in results[0]["minutes"]}
        for model, shares in found.items():
            known = [share for share in shares if share is not None]
            print(f"{name}, {model}, of manual: {_over_seeds(known)}, {len(known)} of {len(shares)} seeds reach both")


def _ratio(minutes: dict[str, float | None], name: str) -> float | None:
    own, manual = minutes[name], minutes["manual"]
    return own / manual if own and manual else None


def _over_seeds(values: Sequence[float]) -> str:
    """Mean and 95 % interval of Student over seeds; none for fewer than three, which prove nothing."""
    if not values:
        return "nothing"
    found = mean_over_runs(values)
    ends = "no interval" if found.low is None or found.high is None else f"{found.low:.0%} to {found.high:.0%}"
    return f"{found.mean:.0%} ({ends}, {len(values)} seeds)"


def _share(own: float | None, other: float | None) -> str:
    return f"{own / other:.0%}" if own and other else "–"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a Decathlon folder, images/ + masks/ folder, or CSV with 3D images")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds: each has its own split and weights")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of these seeds")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    parser.add_argument("--work", type=Path, help="folder for what is done; naming it again resumes")
    parser.add_argument("--ways", default=",".join(USUAL_WAYS), help=f"ways to work, of {', '.join(WAYS)}")
    parser.add_argument("--rounds", type=int, default=6, help="rounds of each way")
    parser.add_argument(
        "--batch", type=int, default=4, help="cases per round; ways that look at parts of cases take twice as many from the second on"
    )
    parser.add_argument("--every", type=int, default=3, help="ways that choose draw every so many slices of the first cases")
    parser.add_argument("--mended-every", type=int, default=5, help="carried and slices mend every so many slices of a proposal")
    parser.add_argument("--viewed-every", type=int, default=6, help="needed views every so many slices first")
    parser.add_argument(
        "--effort",
        type=lambda text: text.split(","),
        default=["stated"],
        help=f"effort models to price the work by, of {', '.join(EFFORT_MODELS)}, commas between",
    )
    parser.add_argument("--last", type=int, default=0, help="cases worked on after the last round, with triage; 0 for none")
    parser.add_argument(
        "--good", type=float, nargs="+", default=[GOOD_DICE], help="Dice below which a case that passed is bad; several are tried"
    )
    parser.add_argument("--risk", type=float, default=0.02, help="share of bad cases that triage may let pass")
    parser.add_argument(
        "--drawn-weight", type=float, default=DRAWN_WEIGHT, help="how much slices looked at count in training against those filled in"
    )
    parser.add_argument("--first-steps", type=int, default=200, help="training steps of the first round")
    parser.add_argument("--steps", type=int, default=100, help="training steps of every later round")
    parser.add_argument("--width", type=float, default=0.5, help="width of the network, of the product's own choice")
    parser.add_argument("--pool", type=int, default=1000, help="training cases at most")
    parser.add_argument("--candidates", type=int, default=40, help="cases that a choice is made among")
    parser.add_argument("--held-out", type=int, default=30, help="held-out cases at most")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.ways.split(",")) - set(WAYS)):
        parser.error(f"--ways takes {', '.join(WAYS)}, got {', '.join(unknown)}")
    if unknown := sorted(set(options.effort) - set(EFFORT_MODELS)):
        parser.error(f"--effort takes {', '.join(EFFORT_MODELS)}, got {', '.join(unknown)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all seeds, print the table, write the JSON."""
    options = parse(arguments)
    efforts = {name: EFFORT_MODELS[name].describe() for name in options.effort}
    for name, words in efforts.items():
        print(f"effort model {name}: {words}; {AIMING}", flush=True)
    try:
        dataset = open_dataset(options.data)
        question = question_of(dataset)
        if question.kind != "segmentation":
            raise SystemExit("error: expert minutes need a segmentation")
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.work or Path(temporary)
            seeds = range(options.first_seed, options.first_seed + options.seeds)
            results = [run_seed(dataset, question, seed, options, folder / f"seed-{seed}") for seed in seeds]
    except MedloopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print_table(results)
    print_shares(results)
    print_last(results)
    if options.json:
        settings = {name: str(value) for name, value in vars(options).items()}
        body = {"effort": efforts, "options": settings, "machine": machine(), "results": results}
        options.json.write_text(json.dumps(body, indent=1, default=float))
    return 0


if __name__ == "__main__":
    sys.exit(main())
