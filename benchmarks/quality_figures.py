"""From what was seen of every case to the figures of quality.py: ranking, predicted Dice, triage, deferral, calibration."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from medloop.core.seeds import generator
from medloop.metrics.calibration import brier, classwise_ece, ece, nll
from medloop.metrics.intervals import bootstrap_mean
from medloop.metrics.selective import augrc, aurc, excess_aurc
from medloop.quality.calibrate import TemperatureScaling, fit_isotonic, fit_temperature
from medloop.quality.deferral import control_risk
from medloop.quality.intervals import QuantileIntervals, fit_margin
from medloop.quality.regression import DiceRegression, feature_table
from medloop.quality.triage import GOOD_DICE, count_triage
from quality_cases import Seen

Array: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = npt.NDArray[Any]
Predict: TypeAlias = Callable[[Numbers], Array]
"""Numbers of cases to their expected Dice."""

COVERAGE, RISK = 0.9, 0.1
FALLING = {"entropy_around_mask", "disagreement_around_mask"}
"""Signs that fall with quality; they count negatively as confidence."""

NEEDS_SECOND = "model_agreement"


def ranking(seen: Sequence[Seen]) -> dict[str, dict[str, float]]:
    """How well each sign alone orders the cases; no fitting."""
    truth = np.array([s.truth for s in seen])
    signs = {name: np.array([s.features[name] for s in seen]) * (-1 if name in FALLING else 1) for name in seen[0].features}
    signs |= {"reverse classification": np.array([s.reverse[1] for s in seen]), "oracle": truth, "random": np.ones(len(truth))}
    return {name: ranked(values, truth) for name, values in signs.items()}


def ranked(confidence: Array, truth: Array) -> dict[str, float]:
    """Spearman correlation with the true Dice and the areas of selective prediction."""
    rank = spearmanr(confidence, truth).statistic if np.ptp(confidence) > 0 and np.ptp(truth) > 0 else 0.0
    areas = {area.__name__: area(confidence, 1.0 - truth) for area in (aurc, excess_aurc, augrc)}
    return {"spearman": float(rank), **areas}


def patient_parts(seen: Sequence[Seen], rng: np.random.Generator) -> tuple[Numbers, ...]:
    """Case numbers to fit on (40 % of patients), to calibrate on (30 %) and to test on (30 %)."""
    names = list(dict.fromkeys(s.patient for s in seen))
    place = dict(zip([names[n] for n in rng.permutation(len(names))], np.linspace(0, 1, len(names), endpoint=False), strict=True))
    at = np.array([place[s.patient] for s in seen])
    return np.flatnonzero(at < 0.4), np.flatnonzero((at >= 0.4) & (at < 0.7)), np.flatnonzero(at >= 0.7)


class Collected:
    """Out-of-sample results per case over the repeats."""

    def __init__(self, seen: Sequence[Seen]) -> None:
        self.seen = seen
        self.sums: dict[str, Array] = {}
        self.counts = np.zeros(len(seen))

    def add(self, test: Numbers, **values: Array) -> None:
        """Values of the tested cases."""
        self.counts[test] += 1
        for name, numbers in values.items():
            self.sums.setdefault(name, np.zeros(len(self.seen)))[test] += numbers

    def summary(self, seed: int) -> dict[str, list[float]]:
        """Mean and 95 % bootstrap interval over patients of each value."""
        tested = self.counts > 0
        patients = [s.patient for s, t in zip(self.seen, tested, strict=True) if t]
        means = {name: total[tested] / self.counts[tested] for name, total in self.sums.items()}
        intervals = {name: bootstrap_mean(values, patients, generator(seed, "bootstrap", name)) for name, values in means.items()}
        return {
            name: [i.mean, float("nan") if i.low is None else i.low, float("nan") if i.high is None else i.high]
            for name, i in intervals.items()
        }


def predicted_dice(seen: Sequence[Seen], seed: int, *, repeats: int, trees: int) -> dict[str, Any]:
    """Predicted Dice by one sign on a line, by the regression with and without a second model, and by quantiles."""
    truth = np.array([s.truth for s in seen])
    names, table = feature_table([s.features for s in seen])
    alone = [n for n, name in enumerate(names) if name != NEEDS_SECOND]
    ways: dict[str, Callable[[Numbers], Predict]] = {
        **{name: _line(table[:, n], truth) for n, name in enumerate(names)},
        "regression, all signs": _regression(table, truth, seen, trees),
        "regression, one model": _regression(table[:, alone], truth, seen, trees),
    }
    collected = {way: Collected(seen) for way in [*ways, "quantiles, all signs"]}
    deferral = Collected(seen)
    for repeat in range(repeats):
        fit, calibrate, test = patient_parts(seen, generator(seed, "quality", "repeat", repeat))
        for way, make in ways.items():
            predict = make(fit)
            margin = fit_margin(predict(calibrate), truth[calibrate], coverage=COVERAGE)
            expected = predict(test)
            _note(collected[way], test, truth, expected, *margin(expected))
            if way == "regression, all signs":
                _defer(deferral, seen, truth, predict, calibrate, test)
        quantiles = QuantileIntervals(coverage=COVERAGE).fit(
            table[fit], truth[fit], calibration_features=table[calibrate], calibration_truth=truth[calibrate]
        )
        low, high = quantiles.predict(table[test])
        _note(collected["quantiles, all signs"], test, truth, (low + high) / 2, low, high)
    return {"ways": {way: c.summary(seed) for way, c in collected.items()}, "deferral": deferral.summary(seed)}


def _line(sign: Array, truth: Array) -> Callable[[Numbers], Predict]:
    def make(fit: Numbers) -> Predict:
        slope, intercept = np.polyfit(sign[fit], truth[fit], 1) if np.ptp(sign[fit]) > 1e-9 else (0.0, truth[fit].mean())
        return lambda at: np.clip(intercept + slope * sign[at], 0, 1)

    return make


def _regression(table: Array, truth: Array, seen: Sequence[Seen], trees: int) -> Callable[[Numbers], Predict]:
    def make(fit: Numbers) -> Predict:
        fitted = DiceRegression(coverage=COVERAGE, trees=trees).fit(table[fit], truth[fit], patients=[seen[n].patient for n in fit])
        return lambda at: fitted.predict(table[at])

    return make


def _note(to: Collected, test: Numbers, truth: Array, expected: Array, low: Array, high: Array) -> None:
    true = truth[test]
    right = (expected >= GOOD_DICE) == (true >= GOOD_DICE)
    to.add(test, mae=np.abs(expected - true), covered=(low <= true) & (true <= high), width=high - low, triage=right)


def _defer(to: Collected, seen: Sequence[Seen], truth: Array, predict: Predict, calibrate: Numbers, test: Numbers) -> None:
    bad = (truth < GOOD_DICE).astype(float)
    found = control_risk(predict(calibrate), bad[calibrate], risk=RISK, patients=[seen[n].patient for n in calibrate])
    accepted = found.accepts(predict(test))
    to.add(test, accepted=accepted, accepted_and_bad=accepted * bad[test])


def reverse_figures(seen: Sequence[Seen], seed: int) -> dict[str, Any]:
    """Reverse classification, which learned nothing from these cases."""
    truth, expected, raw = (np.array(v) for v in zip(*((s.truth, *s.reverse) for s in seen), strict=True))
    patients = [s.patient for s in seen]
    mae = bootstrap_mean(np.abs(expected - truth), patients, generator(seed, "bootstrap", "reverse"))
    right = (expected >= GOOD_DICE) == (truth >= GOOD_DICE)
    triage = bootstrap_mean(right, patients, generator(seed, "bootstrap", "reverse-triage"))
    counts = count_triage(expected, truth)
    return {
        "mae": [mae.mean, mae.low, mae.high],
        "mae_uncalibrated": float(np.abs(raw - truth).mean()),
        "triage": [triage.mean, triage.low, triage.high],
        "balanced_triage": counts.balanced_accuracy,
    }


def calibration(seen: Sequence[Seen], seed: int) -> dict[str, Any]:
    """ECE and its kin before and after calibration: fitted near the borders of some patients, measured on the others."""
    fit, *others = patient_parts(seen, generator(seed, "quality", "calibration"))
    learn = _rows([seen[n].band for n in fit])
    temperature, isotonic = fit_temperature(*learn), fit_isotonic(*learn)
    ways = {"as trained": TemperatureScaling(1.0), "temperature": temperature, "isotonic": isotonic}
    measured: dict[str, Any] = {"temperature": temperature.temperature}
    test = np.concatenate(others)
    for where, chosen in (("all cases", test), ("clean cases", [n for n in test if not seen[n].corrupted])):
        for region in ("band", "volume"):
            labels, stated = _rows([getattr(seen[n], region) for n in chosen])
            for way, calibrated in ways.items():
                table = calibrated(stated, axis=1)
                measured[f"{way}, {region}, {where}"] = {m.__name__: m(labels, table) for m in (ece, classwise_ece, brier, nll)}
    return measured


def _rows(parts: Sequence[tuple[Numbers, Numbers]]) -> tuple[Numbers, Numbers]:
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
