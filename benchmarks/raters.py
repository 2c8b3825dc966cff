"""Several annotators per case: do fused masks beat single experts, is skill found, are mistakes found, and what does it cost?

Four parts; those whose data or library is missing say so and are left out.

- `peers`: classes against crowd-kit and scikit-activeml, masks against SimpleITK, alpha against krippendorff, confident learning
  against cleanlab: largest difference and CPU seconds, on the same input in the same process. The numbers in tests/raters come from here.
- `bubil`: experts and crowd on real microscopy (`--data FOLDER/bubil_multirater`).
- `teams`: simulated annotators with known faults on fetal heads and hearts, three readings per case.
- `classes`: the same for classes.
- `intervals`: how often the 90 % intervals of a skill hold it, over simulated teams of classes and outlines.

    python benchmarks/raters.py --data ../shared/data --json raters.json
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from full_data import machine
from medloop.core.arrays import ImageArray, IntArray, MaskArray
from medloop.metrics.intervals import bootstrap_mean
from medloop.metrics.overlap import dice
from medloop.raters import (
    Prior,
    confident_joint,
    dawid_skene,
    edge_strengths,
    glad,
    krippendorff_alpha,
    locally_weighted,
    majority,
    majority_mask,
    pool_skills,
    shape_based,
    simple_fusion,
    skill_by_image,
    staple,
    staple_cases,
    suspect_annotations,
    weighted_majority,
)
from raters_inputs import masks_of_ball, probabilities_of, table_of_classes
from raters_teams import class_intervals, class_team, mask_intervals, mask_team, over_seeds

EXPERT, CROWD = "expert", "crowd"
DRAWS = 2000
BLUNDERS = (("d2_P10", "expert_Person2_Amira"), ("d2_P20", "expert_Person3_Amira"))


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    found = call()
    return found, time.process_time() - start


def _beside(name: str, ours: Callable[[], Any], theirs: Callable[[], Any]) -> dict[str, Any]:
    """Both sides on the same input: CPU seconds and the largest difference."""
    try:
        expected, their_cpu = _timed(theirs)
    except ImportError as missing:
        print(f"{name:<34} not installed: {missing.name}")
        return {"name": name, "peer": None}
    found, our_cpu = _timed(ours)
    apart = float(np.abs(np.asarray(found, dtype=np.float64) - np.asarray(expected, dtype=np.float64)).max())
    print(f"{name:<34} apart {apart:.1e}  ours {our_cpu:8.3f} s  peer {their_cpu:8.3f} s  ({their_cpu / max(our_cpu, 1e-9):.0f} times)")
    return {"name": name, "apart": apart, "ours_s": our_cpu, "peer_s": their_cpu}


def _frame(table: IntArray) -> Any:
    import pandas

    items, people = np.nonzero(table >= 0)
    return pandas.DataFrame({"task": items, "worker": people, "label": table[items, people]})


def peer_dawid_skene(table: IntArray) -> Any:
    """Probabilities by crowd-kit, run to convergence."""
    from crowdkit.aggregation import DawidSkene

    return DawidSkene(n_iter=300, tol=-1e9).fit(_frame(table)).probas_.sort_index()[sorted(set(table[table >= 0]))].to_numpy()


def peer_glad(table: IntArray) -> Any:
    """Probabilities by crowd-kit, run to convergence."""
    from crowdkit.aggregation import GLAD

    fitted = GLAD(n_iter=30, tol=-1e9, m_step_max_iter=50, m_step_tol=1e-6).fit(_frame(table))
    return fitted.probas_.sort_index()[sorted(set(table[table >= 0]))].to_numpy()


def peer_wawa(table: IntArray) -> Any:
    """Weights of the annotators by crowd-kit, repeated into shares."""
    from crowdkit.aggregation import MajorityVote, Wawa

    frame = _frame(table)
    votes = MajorityVote().fit(frame, skills=Wawa().fit(frame).skills_)
    return votes.probas_.sort_index()[sorted(set(table[table >= 0]))].to_numpy()


def peer_majority(table: IntArray) -> Any:
    """The class of each item by scikit-activeml, of a table without ties, which it breaks by chance."""
    from skactiveml.utils import majority_vote

    return majority_vote(np.where(table < 0, np.nan, table))


def peer_performance(table: IntArray) -> Any:
    """How often each annotator agrees with the majority, by scikit-activeml, which counts one right and one wrong beforehand."""
    from skactiveml.pool.multiannotator import IntervalEstimationAnnotModel

    model = IntervalEstimationAnnotModel(mode="mean").fit(np.zeros((len(table), 1)), np.where(table < 0, np.nan, table))
    given = (table >= 0).sum(axis=0)
    return (model.A_perf_[:, 1] * (given + 2) - 1) / given


def our_performance(table: IntArray) -> Any:
    """The same without the prior of two right and one wrong."""
    return np.array([(skill.accuracy * (skill.annotations + 3) - 2) / skill.annotations for skill in majority(table).skills])


def peer_staple(masks: Sequence[MaskArray]) -> Any:
    """Sensitivity and specificity of each annotator by SimpleITK."""
    import SimpleITK as sitk  # noqa: N813

    fusing = sitk.STAPLEImageFilter()
    fusing.SetForegroundValue(1)
    fusing.Execute([sitk.GetImageFromArray(mask) for mask in masks])
    return np.array([fusing.GetSensitivity(), fusing.GetSpecificity()])


def peer_labels(masks: Sequence[MaskArray]) -> Any:
    """The fused labels by SimpleITK."""
    import SimpleITK as sitk  # noqa: N813

    return sitk.GetArrayFromImage(sitk.MultiLabelSTAPLEImageFilter().Execute([sitk.GetImageFromArray(mask) for mask in masks]))


def our_rates(masks: Sequence[MaskArray]) -> Any:
    """Sensitivity and specificity of each annotator."""
    rates = [skill.labels[1] for skill in staple(masks, [1], region="all", prior=Prior(0, 0, 0)).skills]
    return np.array([[r.sensitivity.value for r in rates], [r.specificity.value for r in rates]])


def peer_alpha(table: IntArray, level: str) -> Any:
    """Alpha by the package krippendorff."""
    import krippendorff

    rows = np.where(table < 0, np.nan, table).T
    return krippendorff.alpha(reliability_data=rows, level_of_measurement=level, value_domain=list(range(int(table.max()) + 1)))


def peer_joint(given: IntArray, rows: Any) -> Any:
    """The confident joint by cleanlab."""
    from cleanlab.count import compute_confident_joint

    return compute_confident_joint(given, rows, calibrate=False)


def peers(size: int) -> list[dict[str, Any]]:
    """Every method that another library has, beside it."""
    none = Prior(0, 0, 0)
    small, large = table_of_classes(1, 40, 6, 3, 0.8), table_of_classes(2, 5000, 30, 4, 0.3)
    odd = table_of_classes(4, 5000, 5, 2, 1.0)
    one, three = masks_of_ball(size, 7, 1), masks_of_ball(size, 7, 3)
    given, rows = probabilities_of(3, 2000, 4)
    return [
        _beside("Dawid-Skene, 40 items", lambda: dawid_skene(small, prior=none).probabilities, lambda: peer_dawid_skene(small)),
        _beside("Dawid-Skene, 5,000 items", lambda: dawid_skene(large, prior=none).probabilities, lambda: peer_dawid_skene(large)),
        _beside("GLAD, 20 items", lambda: glad(small[:20]).probabilities, lambda: peer_glad(small[:20])),
        _beside("weighted majority, 5,000 items", lambda: weighted_majority(large).probabilities, lambda: peer_wawa(large)),
        _beside("majority, 5,000 items", lambda: majority(odd).classes, lambda: peer_majority(odd)),
        _beside("agreement with the majority", lambda: our_performance(odd), lambda: peer_performance(odd)),
        _beside(f"STAPLE, 7 masks of {size}³", lambda: our_rates(one), lambda: peer_staple(one)),
        _beside(f"STAPLE, 3 labels, {size}³", lambda: staple(three, [1, 2, 3], region="all").mask, lambda: peer_labels(three)),
        _beside("alpha, nominal", lambda: krippendorff_alpha(large), lambda: peer_alpha(large, "nominal")),
        _beside("alpha, ordinal", lambda: krippendorff_alpha(large, scale="ordinal"), lambda: peer_alpha(large, "ordinal")),
        _beside("confident joint", lambda: confident_joint(given, rows), lambda: peer_joint(given, rows)),
    ]


def read_cases(folder: Path) -> dict[str, dict[str, MaskArray]]:
    """Case → annotator → mask."""
    from PIL import Image

    def read(path: Path) -> MaskArray:
        return (np.asarray(Image.open(path)) > 0).astype(np.uint8)

    return {c.name: {p.stem: read(p) for g in (EXPERT, CROWD) for p in sorted(c.glob(f"{g}_*.png"))} for c in sorted(folder.iterdir())}


def _image(path: Path) -> ImageArray:
    from PIL import Image

    return np.asarray(Image.open(path).convert("L"))[None]


def _of(case: dict[str, MaskArray], kind: str) -> list[MaskArray]:
    return [mask for name, mask in case.items() if name.startswith(kind)]


WAYS: dict[str, Callable[[Sequence[MaskArray], ImageArray], Any]] = {
    "majority": lambda m, _: majority_mask(m, [1]),
    "simple": lambda m, _: simple_fusion(m, [1]),
    "staple": lambda m, _: staple(m, [1]),
    "staple, all voxels": lambda m, _: staple(m, [1], region="all"),
    "shape_based": lambda m, _: shape_based(m, [1], spacing_mm=(1.0, 1.0)),
    "locally_weighted, image": lambda m, image: locally_weighted(m, [1], spacing_mm=(1.0, 1.0), image=image),
    "locally_weighted, others": lambda m, _: locally_weighted(m, [1], spacing_mm=(1.0, 1.0)),
}


def bubil(folder: Path) -> dict[str, Any]:
    """Crowd against experts, skill of both, and the two masks of another cell."""
    cases = read_cases(folder / "cases")
    images = {name: _image(folder / "cases" / name / "image.png") for name in cases}
    agreed = {name: majority_mask(_of(case, EXPERT), [1]).mask for name, case in cases.items()}
    pairs = [np.mean([dice(a, b, [1])[1] for a, b in combinations(_of(case, EXPERT), 2)]) for case in cases.values()]
    found: dict[str, Any] = {"two experts": _mean(pairs)}
    print(f"\n{len(cases)} cases; two experts: Dice {found['two experts']}")
    for way, fuse in WAYS.items():
        scores, cpu = _timed(
            lambda fuse=fuse: [dice(fuse(_of(c, CROWD), images[name]).mask, agreed[name], [1])[1] for name, c in cases.items()]
        )
        found[way] = {"dice": _mean(scores), "cpu_s": cpu, "skill": _skill_auc(cases, images, fuse)}
        print(f"{way:<22} fused crowd {found[way]['dice']}, {cpu:.1f} CPU s; experts against crowd: AUC {found[way]['skill']}")
    together = staple_cases([{n: m for n, m in c.items() if n.startswith(CROWD)} for c in cases.values()], [1])
    found["staple_cases"] = {"dice": _mean([dice(f.mask, agreed[n], [1])[1] for f, n in zip(together.masks, cases, strict=True)])}
    found["staple_cases"]["skill"] = _auc(staple_cases(list(cases.values()), [1]).skills)
    print(f"{'staple_cases':<22} fused crowd {found['staple_cases']['dice']}; AUC {found['staple_cases']['skill']:.3f}")
    found["skill against other experts"] = _auc_against_experts(cases)
    print(f"held against the other experts' majority: AUC {found['skill against other experts']:.3f}")
    found["by the image"] = by_image(cases, images)
    found["suspects"] = _ranks(cases)
    return found


def _mean(values: Sequence[float]) -> str:
    mean = bootstrap_mean(values, range(len(values)), np.random.default_rng(0))
    return f"{mean.mean:.3f} ({mean.low:.3f}–{mean.high:.3f})"


def _auc(skills: dict[str, Any]) -> float:
    return _auc_of({name: skill.dice for name, skill in skills.items()})


def _auc_of(scores: dict[str, float]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score([name.startswith(EXPERT) for name in scores], list(scores.values())))


def _skill_auc(
    cases: dict[str, dict[str, MaskArray]], images: dict[str, ImageArray], fuse: Callable[[Sequence[MaskArray], ImageArray], Any]
) -> dict[str, float]:
    """AUC over annotators (experts with a tool, slots of the crowd) of their mean Dice, per set and over all."""
    fused = {name: fuse(list(case.values()), images[name]) for name, case in cases.items()}
    found = {}
    for part in ("d1", "d2", "d3", ""):
        inside = [name for name in cases if name.startswith(part)]
        skills = pool_skills([fused[name] for name in inside], [list(cases[name]) for name in inside])
        found[part or "all"] = round(_auc(skills), 3)
    return found


def by_image(cases: dict[str, dict[str, MaskArray]], images: dict[str, ImageArray]) -> dict[str, dict[str, str]]:
    """AUC over annotators of the edges along their outlines, and of `skill_by_image` with the Dice of each method; per set, over all."""
    along = {n: edge_strengths(list(c.values()), [1], image=images[n], spacing_mm=(1.0, 1.0)) for n, c in cases.items()}
    ways = {way: {n: WAYS[way](list(c.values()), images[n]) for n, c in cases.items()} for way in ("majority", "simple", "staple")}
    ways["staple_cases"] = dict(zip(cases, staple_cases([dict(sorted(c.items())) for c in cases.values()], [1]).masks, strict=True))
    found: dict[str, dict[str, str]] = {}
    for part in ("d1", "d2", "d3", ""):
        inside = [n for n in cases if n.startswith(part)]
        names = sorted({who for n in inside for who in cases[n]})
        edges = {who: [along[n][list(cases[n]).index(who)] for n in inside if who in cases[n]] for who in names}
        found.setdefault("edges", {})[part or "all"] = _auc_words({who: float(np.nanmean(each)) for who, each in edges.items()})
        for way, fused in ways.items():
            order = sorted if way == "staple_cases" else list
            given = {who: [fused[n].skills[order(cases[n]).index(who)].dice for n in inside if who in cases[n]] for who in names}
            rms = {who: -float(np.mean((1.0 - np.array(each)) ** 2)) for who, each in given.items()}
            both = {who: skill_by_image(each, edges[who]).value or 0.0 for who, each in given.items()}
            for row, scores in (("root mean square", rms), ("skill_by_image", both)):
                found.setdefault(f"{row}, {way}", {})[part or "all"] = _auc_words(scores)
    for row, values in found.items():
        print(f"{row:<32} experts against crowd: AUC {values}")
    return found


def _auc_words(scores: dict[str, float]) -> str:
    """AUC with its 95 % interval, by drawing annotators of both kinds."""
    rng, kinds = np.random.default_rng(0), [np.array([v for n, v in scores.items() if n.startswith(k)]) for k in (EXPERT, CROWD)]
    drawn = []
    for _ in range(DRAWS):
        apart = np.subtract.outer(*(rng.choice(kind, len(kind)) for kind in kinds))
        drawn.append(((apart > 0) + 0.5 * (apart == 0)).mean())
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{_auc_of(scores):.3f} ({low:.2f}–{high:.2f})"


def _auc_against_experts(cases: dict[str, dict[str, MaskArray]]) -> float:
    """The same when everybody is held against the majority of the other experts, of other persons than themselves."""
    scores: dict[str, list[float]] = {}
    for case in cases.values():
        for name, mask in case.items():
            person = "_".join(name.split("_")[:2])
            others = [m for n, m in case.items() if n.startswith(EXPERT) and "_".join(n.split("_")[:2]) != person]
            scores.setdefault(name, []).append(dice(mask, majority_mask(others, [1]).mask, [1])[1])
    return _auc_of({name: float(np.mean(values)) for name, values in scores.items()})


def _ranks(cases: dict[str, dict[str, MaskArray]]) -> dict[str, Any]:
    """Where the two known mistakes stand among the suspects, of experts alone and of everybody."""
    names, ranks = list(cases), {}
    for part, kinds in (("experts", (EXPERT,)), ("everybody", (EXPERT, CROWD))):
        listed = suspect_annotations([{n: m for n, m in c.items() if n.startswith(kinds)} for c in cases.values()], [1])
        order = [(names[s.item], s.annotator) for s in listed]
        ranks[part] = {case: order.index((case, person)) + 1 for case, person in BLUNDERS} | {"of": len(order)}
        print(f"suspects among {part}: {ranks[part]}")
        for suspect in listed[:5]:
            print(f"  {names[suspect.item]} {suspect.annotator}: {suspect.reason}")
    return ranks


def teams(data: Path, seeds: int, cases: int) -> dict[str, Any]:
    """Simulated teams on heads and hearts."""
    found: dict[str, Any] = {}
    for name, labels in (("hc18_ultrasound", [1]), ("acdc_cardiac", [1, 2, 3])):
        truths = _truths(data / name, cases)
        runs = [mask_team(truths, labels, seed) for seed in range(seeds)]
        found[name] = {way: over_seeds([run[way] for run in runs]) for way in runs[0]}
        print(f"\n{name}: {len(truths)} cases, three readings each, {seeds} seeds")
        for way, row in found[name].items():
            print(f"{way:<22} " + ", ".join(f"{key} {value}" for key, value in row.items()))
    return found


def _truths(folder: Path, cases: int) -> list[MaskArray]:
    from medloop.images.read import read_mask

    paths = sorted([*folder.glob("masks/*.png"), *folder.glob("labelsTr/*.nii.gz")])[:: 7 if (folder / "masks").exists() else 2][:cases]
    arrays = [read_mask(path).array for path in paths]
    return [(a[..., 0] > 0).astype(np.uint8) if a.shape[2] == 1 else a for a in arrays]


def classes(seeds: int) -> dict[str, Any]:
    """Simulated teams on classes."""
    found = {}
    for items in (100, 300, 1000, 3000):
        found[items] = over_seeds([class_team(seed, items=items) for seed in range(seeds)])
        print(f"{items} items: " + ", ".join(f"{key} {value}" for key, value in found[items].items()))
    return found


def intervals(seeds: int) -> dict[str, Any]:
    """Coverage of the 90 % intervals of a skill."""
    found: dict[str, Any] = {}
    for name, ways in (("classes", class_intervals), ("outlines", mask_intervals)):
        runs = [ways(seed) for seed in range(20 * seeds)]
        found[name] = {way: float(np.mean([held for run in runs for held in run[way]])) for way in runs[0]}
        print(f"90 % intervals of {name} that hold the skill: " + ", ".join(f"{way} {share:.3f}" for way, share in found[name].items()))
    return found


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds bubil_multirater, hc18_ultrasound and acdc_cardiac")
    parser.add_argument("--seeds", type=int, default=5, help="simulated teams per row")
    parser.add_argument("--cases", type=int, default=40, help="cases of a simulated team")
    parser.add_argument("--size", type=int, default=256, help="edge of the volumes that are timed")
    parser.add_argument("--only", choices=("peers", "bubil", "teams", "classes", "intervals"), help="one part")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, print the tables, write the JSON."""
    options = parse(arguments)
    parts: dict[str, Callable[[], Any]] = {
        "peers": lambda: peers(options.size),
        "classes": lambda: classes(options.seeds),
        "intervals": lambda: intervals(options.seeds),
    }
    if options.data:
        parts["bubil"] = lambda: bubil(options.data / "bubil_multirater")
        parts["teams"] = lambda: teams(options.data, options.seeds, options.cases)
    found = {name: run() for name, run in parts.items() if options.only in (None, name)}
    if options.json:
        options.json.write_text(json.dumps({"machine": machine()} | found, indent=1, default=float))
    return 0


if __name__ == "__main__":
    sys.exit(main())
