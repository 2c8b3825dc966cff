"""Simulated teams of annotators whose faults are known: good, too large, too small, careless, random."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from medloop.core.arrays import FloatArray, IntArray, MaskArray
from medloop.metrics.intervals import mean_over_runs
from medloop.raters import (
    dawid_skene,
    glad,
    locally_weighted,
    majority,
    majority_mask,
    pool_skills,
    shape_based,
    simple_fusion,
    staple,
    staple_cases,
)
from medloop.raters.confusion import log_likelihoods, normalised, shares
from medloop.raters.fused_mask import FusedMask, fuse_mask
from medloop.raters.mask_skill import MaskSkill, judge_annotators
from medloop.raters.stack import stack_masks, with_agreed
from medloop.simulation.outlines import Outline, draw_mask, outline_depths

READINGS = 3
"""Of each case, by annotators drawn at random."""


TEAM = {
    "good-1": Outline(0.0, 0.02),
    "good-2": Outline(0.0, 0.04),
    "over": Outline(0.15, 0.04),
    "under": Outline(-0.15, 0.04),
    "careless": Outline(0.0, 0.25),
    "random": Outline(0.0, 0.0, random=True),
}


def mask_team(truths: Sequence[MaskArray], labels: Sequence[int], seed: int) -> dict[str, Any]:
    """Spearman correlation of skill with the true Dice and the largest error of a confusion matrix, by method."""
    rng = np.random.default_rng(seed)
    cases: list[dict[str, MaskArray]] = []
    actual: dict[str, list[MaskSkill]] = {name: [] for name in TEAM}
    for truth in truths:
        depths, names = outline_depths(truth, labels), sorted(rng.choice(list(TEAM), READINGS, replace=False))
        case = {name: draw_mask(TEAM[name], truth, labels, depths, rng) for name in names}
        for name, mask in case.items():
            stack = stack_masks([mask, truth], labels)
            actual[name].append(judge_annotators(stack, stack.patterns.table[stack.pattern_of, 1], None)[0])
        cases.append(case)
    names = [sorted(case) for case in cases]
    stacks = [[case[name] for name in order] for case, order in zip(cases, names, strict=True)]
    spacing = (1.0, 1.0, 6.0)[: truths[0].ndim]
    ways = {
        "majority": lambda m: majority_mask(m, labels),
        "simple": lambda m: simple_fusion(m, labels),
        "staple, case by case": lambda m: staple(m, labels),
        "shape_based": lambda m: shape_based(m, labels, spacing_mm=spacing),
        "locally_weighted, others": lambda m: locally_weighted(m, labels, spacing_mm=spacing),
    }
    rows = {}
    for way, fuse in ways.items():
        fused = [fuse(masks) for masks in stacks]
        rows[way] = _judge(pool_skills(fused, names), actual) | {"dice": _dice([f.mask for f in fused], truths, labels)}
    for region in ("band", "all"):
        together = staple_cases(cases, labels, region=region)
        rows[f"staple_cases, {region}"] = _judge(together.skills, actual) | {
            "dice": _dice([f.mask for f in together.masks], truths, labels)
        }
    given = {name: _rows(np.sum([s.joint for s in skills], axis=0)) for name, skills in actual.items() if skills}
    rows["given every matrix, all voxels"] = _judge(pool_skills([_given(case, labels, given) for case in cases], names), actual)
    return rows


def _given(case: dict[str, MaskArray], labels: Sequence[int], matrices: dict[str, FloatArray]) -> FusedMask:
    """What STAPLE's model says of a case when it need not estimate anybody's confusion: how far the model itself carries."""
    stack = stack_masks([case[name] for name in sorted(case)], labels)
    votes = with_agreed(stack, stack.agreed.astype(np.float64))
    share = votes.counts @ shares(votes)
    logs = log_likelihoods(votes, np.stack([matrices[name] for name in sorted(case)])) + np.log(share / share.sum())
    beliefs = normalised(logs)[len(stack.labels) :]
    return fuse_mask("given", stack, beliefs, judged=beliefs)


def _judge(skills: dict[str, MaskSkill], actual: dict[str, list[MaskSkill]]) -> dict[str, float]:
    names = sorted(name for name in skills if actual[name])
    true_dice = [float(np.mean([skill.dice for skill in actual[name]])) for name in names]
    errors = [np.abs(skills[n].confusion - _rows(np.sum([s.joint for s in actual[n]], axis=0))) for n in names]
    return {
        "spearman": float(spearmanr([skills[n].dice for n in names], true_dice).statistic),
        "largest": float(np.max(errors)),
        "mean": float(np.mean(errors)),
    }


def _rows(joint: FloatArray) -> FloatArray:
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))


def _dice(masks: Sequence[MaskArray], truths: Sequence[MaskArray], labels: Sequence[int]) -> float:
    from medloop.metrics.overlap import dice

    return float(np.mean([np.mean(list(dice(mask, truth, labels).values())) for mask, truth in zip(masks, truths, strict=True)]))


def class_team(seed: int, *, items: int, classes: int = 3) -> dict[str, float]:
    """The same for classes, with Dawid and Skene's model: also how often the 90 % intervals hold the true accuracy."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    matrices = np.stack([_matrix(accuracy, classes, rng) for accuracy in (0.95, 0.9, 0.8, 0.7, 0.6, 0.4)])
    table = np.full((items, len(matrices)), -1)
    for item in range(items):
        for person in rng.choice(len(matrices), READINGS, replace=False):
            table[item, person] = rng.choice(classes, p=matrices[person, truth[item]])
    fused = dawid_skene(table, classes=classes)
    real = np.stack([_confusion(table[:, a], truth, classes) for a in range(len(matrices))])
    right = np.array([np.diag(m).mean() for m in matrices])
    return {
        "spearman": float(spearmanr([s.accuracy for s in fused.skills], right).statistic),
        "largest": float(max(np.abs(s.confusion - r).max() for s, r in zip(fused.skills, real, strict=True))),
        "mean": float(np.mean([np.abs(s.confusion - r).mean() for s, r in zip(fused.skills, real, strict=True)])),
        "accuracy": float((fused.classes == truth).mean()),
        "covered": float(np.mean([s.low <= r <= s.high for s, r in zip(fused.skills, right, strict=True)])),
    }


def class_intervals(seed: int) -> dict[str, list[bool]]:
    """Whether each 90 % interval holds the accuracy of a simulated annotator, by method: two to four classes, some annotations missing."""
    rng = np.random.default_rng(seed)
    classes, people, items = int(rng.integers(2, 5)), int(rng.integers(3, 8)), int(rng.integers(60, 240))
    truth, right = rng.integers(0, classes, items), rng.uniform(0.55, 0.95, people)
    wrong = (truth[:, None] + rng.integers(1, classes, (items, people))) % classes
    table = np.where(rng.random((items, people)) < right, truth[:, None], wrong)
    table[rng.random((items, people)) < rng.choice([0.0, 0.3])] = -1
    ways = {"dawid_skene": dawid_skene, "glad": glad, "majority": majority}
    return {w: [s.low <= r <= s.high for s, r in zip(fuse(table, classes=classes).skills, right, strict=True)] for w, fuse in ways.items()}


def mask_intervals(seed: int) -> dict[str, list[bool]]:
    """Whether the 90 % interval of the Dice of one outline holds that of other readings by the same annotator, by method."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((96, 96))
    depth, angle = 24 - np.hypot(rows - 48, columns - 48), np.arctan2(rows - 48, columns - 48)

    def read() -> MaskArray:
        waves = sum(rng.normal() * np.cos(k * angle + rng.uniform(0, 7)) for k in range(3, 9))
        return (depth + waves > 0).astype(np.uint8)

    ways = {
        "majority": lambda m: majority_mask(m, [1]),
        "staple": lambda m: staple(m, [1]),
        "shape_based": lambda m: shape_based(m, [1], spacing_mm=(1.0, 1.0)),
        "locally_weighted, others": lambda m: locally_weighted(m, [1], spacing_mm=(1.0, 1.0)),
    }
    others, own, again = [read() for _ in range(4)], read(), [read() for _ in range(5)]
    found = {}
    for way, fuse in ways.items():
        rate = fuse([*others, own]).skills[4].labels[1].dice
        mean = np.mean([fuse([*others, mask]).skills[4].labels[1].dice.value for mask in again])
        found[way] = [rate.low is not None and rate.high is not None and rate.low <= mean <= rate.high]
    return found


def _matrix(accuracy: float, classes: int, rng: np.random.Generator) -> FloatArray:
    wrong = rng.dirichlet(np.full(classes - 1, 2.0), classes) * (1.0 - accuracy)
    return np.stack([np.insert(row, k, accuracy) for k, row in enumerate(wrong)])


def _confusion(given: IntArray, truth: IntArray, classes: int) -> FloatArray:
    used = given >= 0
    counts = np.bincount(truth[used] * classes + given[used], minlength=classes**2).reshape(classes, classes)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def over_seeds(runs: Sequence[dict[str, float]]) -> dict[str, str]:
    """Mean and 95 % interval over seeds of each figure, as text."""
    found = {}
    for name in runs[0]:
        mean = mean_over_runs([run[name] for run in runs])
        ends = f" ({mean.low:.3f}–{mean.high:.3f})" if mean.low is not None and mean.high is not None else ""
        found[name] = f"{mean.mean:.3f}{ends}"
    return found
