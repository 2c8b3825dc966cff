"""What an hour of an expert brings by benefit per predicted minute, by benefit alone, and at random.

Nothing is trained that takes time, and no data are needed: work of a known law is simulated, and the product's own functions decide.

- **kinds**: proposals of a pile of small volumes are wrong to known degrees, and the uncertainty says so; or the network is overconfident,
  its probabilities twice as steep as they should be. A simulated person views slices and corrects each by the cheapest interaction, in the
  stated times with noise. The queue of `query_unit=best` (whole case, slices, regions or a check, by expected voxels set right per
  predicted minute) works beside whole cases in the same order, whole cases by expected voxels alone, and whole cases at random. Minutes
  are predicted from the log so far. Counted is the share of wrong voxels that are set right when a share of the hours that all whole
  cases take is spent, and its mean over these hours.
- **strategies**: a classifier learns from cases whose times follow the law of `cost_model.py`; they have nothing to do with how hard a
  case is, or rise with it. The product's strategies query on arrays. Counted is accuracy on unseen cases.

Equal seeds give equal tables. Differences are paired by seed.

    python benchmarks/equal_hours.py --seeds 12 --json equal_hours.json
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

import cost_model
from medloop.core.arrays import BoolArray, FloatArray, MaskArray
from medloop.core.geometry import Grid
from medloop.core.records import Case, QueryKind, Source
from medloop.core.seeds import generator
from medloop.core.settings import QueryUnit
from medloop.interaction.attention import chances_of_entropy, unreviewed
from medloop.interaction.simulated_users.cheapest import work_through
from medloop.interaction.simulated_users.effort import EffortModel
from medloop.interaction.simulated_users.outlining import noticeable_errors
from medloop.loop.querying.best_kinds import offers_of
from medloop.loop.querying.kind_costs import FEWEST, KindCosts
from medloop.loop.querying.places import Looked
from medloop.metrics.intervals import interval_words, mean_over_runs
from medloop.query.budget.kinds import Offer, best_offer
from medloop.query.budget.minutes import border_length, fit_minutes, predicted_minutes
from medloop.query.on_arrays import query

SHARES = (0.1, 0.25, 0.5)
"""Of the hours that annotating the whole pile takes."""

PILE, LOGGED = 40, 24
SIDE, SLICES = 24, (6, 30)
"""Voxels in plane, and the least and most slices of a case: pools hold short and long ones."""

PARTS = 3
PLACES: Mapping[QueryKind, QueryUnit] = {"slices": "slice", "regions": "region"}
NOISE = 0.25
"""Spread of ln seconds of like work."""

STATED = EffortModel()
ORDERS = ("per minute", "per minute, whole cases", "benefit alone", "random")
SETTINGS: Mapping[str, float] = {"calibrated": 1.0, "overconfident": 2.0}
"""How many times steeper the network's probabilities are than they should be."""


@dataclass(eq=False)
class Volume:
    """A case of the pile: what is true, what is proposed, what the network says of it, and what is annotated so far."""

    case: Case
    truth: MaskArray
    mask: MaskArray
    chances: FloatArray
    known: BoolArray
    features: tuple[float, ...]
    doubt: float
    finished: bool = False

    def wrong(self) -> int:
        """Voxels that are wrong now."""
        return int(np.count_nonzero(self.mask != self.truth))


def volume(rng: np.random.Generator, steepness: float) -> Volume:
    """An ellipsoid, seen through a smooth error as large as the case is hard: the network knows how large on average."""
    from scipy import ndimage
    from scipy.special import entr, ndtr

    shape = (SIDE, SIDE, int(rng.integers(SLICES[0], SLICES[1] + 1)))
    at = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radii, centre = rng.uniform(0.25, 0.75, 3), rng.uniform(-0.2, 0.2, 3)
    inside = 1 - np.sqrt(sum(((a - c) / r) ** 2 for a, c, r in zip(at, centre, radii, strict=True)))
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), (2.5, 2.5, 1.5))
    hard = float(rng.lognormal(-1.6, 0.7))
    seen = inside + hard * smooth / smooth.std()
    chance = ndtr(steepness * seen / hard)
    entropy = entr(chance) + entr(1 - chance)
    proposal = (seen > 0).astype(np.uint8)
    uncertain, foreground = float(entropy.sum()), float(proposal.sum())
    features = (foreground, float(border_length(proposal)), uncertain, float(shape[2]))
    doubt = uncertain / max(foreground, 1.0)
    known, source = np.zeros(shape, dtype=bool), Source(format="phantom", names=("pile",), sha256="0" * 64)
    case = Case(
        id="pile", name="pile", patient="pile", split="train", grid=Grid.of_spacing(shape, (1.0, 1.0, 3.0)), channels=1, dtype="uint8",
        voxels="", window=(0, 1), value_range=(0, 1), source=source, added_at="",
    )  # fmt: skip
    return Volume(case, (inside > 0).astype(np.uint8), proposal, chances_of_entropy(entropy, 2), known, features, doubt)


@dataclass(frozen=True)
class Done:
    """One annotation in the log of work; `untouched`: the proposal was accepted as it was."""

    kind: QueryKind
    features: tuple[float, ...]
    doubt: float
    seconds: float
    parts: int = 0
    untouched: bool = False


def costs_of(log: Sequence[Done]) -> KindCosts:
    """What `kind_costs` reads out of a project's log: medians from five of a kind on."""
    masks = [one for one in log if one.kind == "whole"]
    corrected, every = _median([one.seconds for one in masks if not one.untouched]), _median([one.seconds for one in masks])
    parts: dict[QueryKind, float | None] = {kind: _median([one.seconds / one.parts for one in log if one.kind == kind]) for kind in PLACES}
    return KindCosts(
        look=_median([one.seconds for one in masks if one.untouched]),
        longer=max(1.0, corrected / every) if corrected and every else 1.0,
        part={kind: seconds for kind, seconds in parts.items() if seconds is not None},
        doubts=np.array([one.doubt for one in masks]),
        accepted=np.array([float(one.untouched) for one in masks]),
    )


def _median(seconds: Sequence[float]) -> float | None:
    return float(np.median(seconds)) if len(seconds) >= FEWEST else None


class Expert:
    """Works on cases in stated times with noise, and keeps the log."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng, self.log = rng, list[Done]()

    def whole(self, one: Volume, looked: float = 0.0) -> float:
        """Every slice viewed and corrected; seconds, those of a look before included."""
        untouched = not noticeable_errors(one.mask, one.truth, 2).any()
        seconds = looked + self._corrected(one, (slice(None),) * 3)
        self.log.append(Done("whole", one.features, one.doubt, seconds, untouched=untouched))
        one.finished = True
        return seconds

    def check(self, one: Volume) -> float:
        """A look at every uncertain slice; where something is noticed the whole case follows."""
        wrong = noticeable_errors(one.mask, one.truth, 2).any()
        slices = Looked(one.case, unreviewed(one.chances, one.known)).uncertain_slices()
        return self.whole(one, STATED.slice_viewed * slices) if wrong else self.whole(one)

    def part(self, kind: QueryKind, one: Volume, places: Sequence[tuple[slice, ...]]) -> float:
        """Some slices or boxes alone."""
        seconds = sum(self._corrected(one, place) for place in places)
        self.log.append(Done(kind, one.features, one.doubt, seconds, len(places)))
        return seconds

    def _corrected(self, one: Volume, place: tuple[slice, ...]) -> float:
        mask, truth = one.mask[place], one.truth[place]
        worked = work_through(mask, truth, 2, range(truth.shape[2]), STATED)
        one.mask[place] = worked.mask
        one.known[place] = True
        return worked.tally.seconds(STATED) * float(np.exp(self._rng.normal(0, NOISE)))


@lru_cache
def pile_of(steepness: float, seed: int) -> tuple[tuple[Volume, ...], tuple[Volume, ...], float]:
    """Cases of the log, cases of the pile, and the seconds that all of the pile takes."""
    rng = generator(seed, "pile", steepness)
    logged, pile = (tuple(volume(rng, steepness) for _ in range(n)) for n in (LOGGED, PILE))
    return logged, pile, sum(Expert(generator(seed, "usual")).whole(one) for one in _fresh(pile))


def _fresh(cases: Sequence[Volume]) -> list[Volume]:
    return [replace(one, mask=one.mask.copy(), known=one.known.copy()) for one in cases]


def spend(order: str, steepness: float, seed: int) -> list[float]:
    """Share of the wrong voxels that are set right after each of `SHARES` of the hours, and its mean up to the last of them."""
    logged, kept, hours = pile_of(steepness, seed)
    expert, pile = Expert(generator(seed, "times")), _fresh(kept)
    for one in _fresh(logged):
        expert.whole(one)
    wrong = sum(one.wrong() for one in pile)
    spent, done = 0.0, [(0.0, 0.0)]
    for_chance = generator(seed, "random order").permutation(PILE)
    while spent < hours * SHARES[-1] and (left := [one for one in pile if not one.finished and not one.known.all()]):
        chosen = pile[for_chance[PILE - len(left)]] if order == "random" else None
        spent += _next(order, left, expert) if chosen is None else expert.whole(chosen)
        done.append((spent, 1 - sum(one.wrong() for one in pile) / wrong))
    at, share = np.array(done).T
    along = np.interp(np.linspace(0, hours * SHARES[-1], 101), at, share)
    return [*(float(along[round(100 * limit / SHARES[-1])]) for limit in SHARES), float(along.mean())]


def _next(order: str, left: Sequence[Volume], expert: Expert) -> float:
    """The seconds of the step that the order takes next."""
    masks = [one for one in expert.log if one.kind == "whole"]
    model = fit_minutes(np.array([one.features for one in masks]), np.array([one.seconds for one in masks]))
    costs = costs_of(expert.log)
    minutes = predicted_minutes(model, np.array([one.features for one in left])).expected
    weighed = [_offered(order, one, costs, float(n)) for one, n in zip(left, minutes, strict=True)]
    worth = [offer.gain if order == "benefit alone" else offer.worth for offer, _ in weighed]
    n = int(np.argmax(worth))
    offer, places = weighed[n]
    if offer.kind in ("whole", "verify"):
        return expert.whole(left[n]) if offer.kind == "whole" else expert.check(left[n])
    return expert.part(offer.kind, left[n], places)


def _offered(order: str, one: Volume, costs: KindCosts, minutes: float) -> tuple[Offer, list[tuple[slice, ...]]]:
    """The best offer of a case, by the product's own weighing, and the places of its kind."""
    found = Looked(one.case, unreviewed(one.chances, one.known), drawn=bool(one.known.any()))
    ranked = {kind: found.places(unit, PARTS) for kind, unit in PLACES.items()} if order == "per minute" else {}
    offers = offers_of(found, ranked, costs, doubt=one.doubt, whole=minutes * costs.longer)
    best = best_offer(offers) if order == "per minute" else offers[0]
    return best, [place.voxels for place in ranked.get(best.kind, [])]


LEARNED = ("value-per-minute", "knapsack", "entropy", "random")
POOL, UNSEEN, FIRST, BATCH, ROUNDS = 300, 1000, 20, 5, 16
TIMES = ("independent of difficulty", "rise with difficulty")


def learn(name: str, times: str, seed: int) -> list[float]:
    """Accuracy on unseen cases after each share of the hours, and the mean over all of them."""
    from sklearn.linear_model import LogisticRegression

    rng = generator(seed, "classes", times)
    centres = rng.normal(0, 1.1, (4, 8))
    truth = rng.integers(4, size=POOL + UNSEEN)
    cases = centres[truth] + rng.normal(0, 1.3, (POOL + UNSEEN, 8))
    log = cost_model.simulate(rng, cost_model.SETTINGS[3], np.zeros(1), POOL)
    if times == TIMES[1]:
        log = _hard_ones_last(log, cases[:POOL], centres, rng)
    hours = BATCH * ROUNDS * float(log.seconds.mean())
    known = [int(n) for n in rng.permutation(POOL)[:FIRST]]
    spent, curve = 0.0, list[tuple[float, float]]()
    while True:
        classifier = LogisticRegression(max_iter=500).fit(cases[known], truth[known])
        curve.append((spent, float(classifier.score(cases[POOL:], truth[POOL:]))))
        if spent >= hours or len(known) >= POOL:
            break
        model = fit_minutes(log.features[known], log.seconds[known])
        minutes = predicted_minutes(model, log.features).expected
        chances = np.full((POOL, 4), 1e-9)
        chances[:, classifier.classes_] = classifier.predict_proba(cases[:POOL])
        own = query(
            name,
            proba=chances / chances.sum(1, keepdims=True),
            labelled=known,
            scores={"minutes": minutes},
            n=BATCH,
            seed=seed * 1000 + len(known),
        )
        known += own.tolist()
        spent += float(log.seconds[own].sum())
    at, score = np.array(curve).T
    steps = np.linspace(0, hours, 101)
    along = score[np.searchsorted(at, steps, side="right") - 1]
    return [*(float(along[round(100 * share)]) for share in SHARES), float(along.mean())]


def _hard_ones_last(log: cost_model.Log, cases: FloatArray, centres: FloatArray, rng: np.random.Generator) -> cost_model.Log:
    """The same times, given out so that cases between two classes tend to take longer."""
    away = np.sort(np.linalg.norm(cases[:, None] - centres[None], axis=2), axis=1)
    ease = away[:, 1] - away[:, 0]
    hardest_last = np.argsort(-(ease + rng.normal(0, ease.std(), len(ease))))
    quickest_first = np.argsort(log.seconds)
    order = np.empty(len(ease), dtype=np.intp)
    order[hardest_last] = quickest_first
    return cost_model.Log(log.features[order], log.seconds[order], log.people)


def compared(
    head: str, names: Sequence[str], columns: Sequence[str], measure: Callable[[str, int], list[float]], seeds: int
) -> dict[str, Any]:
    """Print one table: means over seeds, and the first of the names against each other one, paired by seed."""
    found = {name: np.array([measure(name, seed) for seed in range(seeds)]) for name in names}
    print(f"\n| {head} | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for name, table in found.items():
        print(f"| {name} | {' | '.join(_words(column) for column in table.T)} |")
    for name in names[1:]:
        ahead = [_words(column, "+.3f") for column in (found[names[0]] - found[name]).T]
        print(f"| {names[0]} less {name} | {' | '.join(ahead)} |", flush=True)
    return {name: table.tolist() for name, table in found.items()}


def _words(values: FloatArray, form: str = ".3f") -> str:
    """The mean over seeds with its interval."""
    found = mean_over_runs(values)
    return f"{found.mean:{form}} ({interval_words(found, form)})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=12, help="piles, and pools, of each setting")
    parser.add_argument("--only", choices=("kinds", "strategies"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    found, columns = dict[str, Any](), [*(f"after {share:.0%} of the hours" for share in SHARES), "mean"]
    if options.only != "strategies":
        for name, steepness in SETTINGS.items():
            head = f"wrong voxels set right, {name}"
            found[head] = compared(head, ORDERS, columns, lambda order, seed, s=steepness: spend(order, s, seed), options.seeds)  # type: ignore[misc]
    if options.only != "kinds":
        for times in TIMES:
            head = f"accuracy, times {times}"
            found[head] = compared(head, LEARNED, columns, lambda name, seed, t=times: learn(name, t, seed), options.seeds)  # type: ignore[misc]
    if options.json:
        options.json.write_text(json.dumps({"seeds": options.seeds, "tables": found}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
