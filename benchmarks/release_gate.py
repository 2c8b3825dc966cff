"""What the release gate lets pass: candidates as good as the model in use, trained on shuffled masks, and worse for one stain only.

Every run is a project of nuclei: a model is trained and in use, then the same project gets a candidate three times over. `equal` learns
one annotation more, `shuffled` has its masks interchanged between images, `subgroup` learned that tissue has no nuclei. Train, test and
the gate are the product's own. Every candidate is a line of the `--json` file; one that is there is not run again.

    python benchmarks/release_gate.py --data ../shared/data --seeds 20 --steps 80 --json release_gate.jsonl
"""

import argparse
import csv
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from PIL import Image as Picture

from medloop.core.image import Mask
from medloop.core.records import LiveChoice, Model, ProjectSettings
from medloop.core.seeds import generator
from medloop.images.read import read_mask
from medloop.loop.judging.releasing import roll_back
from medloop.loop.project import Project
from medloop.metrics.release import Gate

WAYS = ("equal", "shuffled", "subgroup")
STAINS: Mapping[str, str] = {"fluorescence/grey": "fluorescence", "colour (stained tissue)": "tissue"}
TRAINED, TESTED = {"fluorescence": 8, "tissue": 8}, {"fluorescence": 15, "tissue": 15}
"""Images by stain; each is its own patient."""

SIDE = 128
"""Pixels of their middle that are used."""


def make_source(data: Path, out: Path, seed: int) -> list[str]:
    """A folder with a table of training and test images; the names of those for training, the last one to be annotated later."""
    place = data / "nuclei_dsb2018"
    with (place / "index.csv").open() as file:
        rows = [(row["filename"], STAINS[row["type"]]) for row in csv.DictReader(file)]
    rng = generator(seed, "release-gate")
    trained, lines = [], []
    for stain, count in TRAINED.items():
        names = [str(one) for one in rng.permutation([name for name, one in rows if one == stain])]
        for position, name in enumerate(names[: count + TESTED[stain]]):
            split = "train" if position < count else "test"
            trained += [name] if split == "train" else []
            lines.append((name, f"masks/{name}", Path(name).stem, split, stain))
            for kind, folder in (("images", "images"), ("labels", "masks")):
                (out / folder).mkdir(parents=True, exist_ok=True)
                write_part(place / kind / name, out / folder / name, mask=kind == "labels")
    with (out / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "mask", "patient", "split", "scanner"), *lines])
    return [Path(name).stem for name in trained]


def write_part(source: Path, out: Path, *, mask: bool) -> None:
    """The middle of a picture or of an instance map, which becomes one label."""
    with Picture.open(source) as picture:
        left, top = (max(0, (length - SIDE) // 2) for length in picture.size)
        part = picture.crop((left, top, left + SIDE, top + SIDE))
    (Picture.fromarray((np.asarray(part) > 0).astype(np.uint8)) if mask else part.convert("RGB")).save(out)


def whole(path: Path) -> Mask:
    """A mask."""
    return read_mask(path)


def begin(options: argparse.Namespace, folder: Path, seed: int) -> list[str]:
    """A project with a model in use, judged; the names of its training cases."""
    names = make_source(options.data, folder / "source", seed)
    settings = ProjectSettings(release="gate", train_steps=options.steps, seed=seed, strategy="random", warm_start="scratch")
    project = Project.create(folder / "project", name="gate", kind="segmentation", labels=["nucleus"], settings=settings)
    project.add(folder / "source", fmt="csv")
    project.train()
    project.close()
    return names


def annotate(project: Project, name: str, mask: Any) -> None:
    """An expert's annotation in place of the imported one."""
    opened = project.open_case(name)
    project.submit(opened, mask, replace=True, independent=True)


def spoil(project: Project, way: str, source: Path, names: list[str], seed: int) -> None:
    """Give the candidate what it learns from."""
    truths = {name: whole(source / "masks" / f"{name}.png").array for name in names}
    stain = {name: ("tissue" if index >= TRAINED["fluorescence"] else "fluorescence") for index, name in enumerate(names)}
    if way == "equal":
        annotate(project, names[0], truths[names[0]])
        return
    order = [str(name) for name in generator(seed, "shuffled").permutation(names)]
    for name, other in zip(names, order, strict=True):
        if way == "shuffled":
            annotate(project, name, fitted(truths[other], truths[name].shape))
        elif stain[name] == "tissue":
            annotate(project, name, np.zeros_like(truths[name]))


def fitted(mask: Any, shape: tuple[int, ...]) -> Any:
    """Another image's mask, repeated or cut to this one's size."""
    return np.tile(mask, [-(-n // m) for n, m in zip(shape, mask.shape, strict=True)])[tuple(slice(n) for n in shape)]


def candidate(folder: Path, way: str, names: list[str], seed: int) -> dict[str, Any]:
    """Train one candidate in a copy of the project, and what the gate said."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "project"
        shutil.copytree(folder / "project", place)
        project = Project.open(place)
        spoil(project, way, folder / "source", names, seed)
        project.train(again=True)
        with project.workspace.store.read() as tx:
            newest = max(tx.find(Model), key=lambda model: model.index)
            judged = [c.comparison for c in tx.find(LiveChoice, where={"judged_id": newest.id}) if "gate" in c.comparison]
        gate, passed = judged[-1]["gate"], Gate.from_json(judged[-1]["gate"]).passes
        began = time.perf_counter()
        if passed:
            roll_back(project.workspace, actor="benchmark")
        seconds = time.perf_counter() - began if passed else None
        project.close()
    return {"way": way, "seed": seed, "passed": passed, "back_seconds": seconds, "gate": gate}


def runs(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Every run, those of the file first."""
    known = [json.loads(line) for line in options.json.read_text().splitlines()] if options.json.exists() else []
    known = [one for one in known if one["steps"] == options.steps]
    yield from known
    done = {(one["way"], one["seed"]) for one in known}
    for seed in range(options.seeds):
        lacking = [way for way in options.ways if (way, seed) not in done]
        if not lacking:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            names = begin(options, Path(scratch), seed)
            for way in lacking:
                found = {**candidate(Path(scratch), way, names, seed), "steps": options.steps}
                with options.json.open("a") as file:
                    file.write(f"{json.dumps(found)}\n")
                print(way, seed, "passed" if found["passed"] else "stopped", flush=True)
                yield found


def table(found: list[dict[str, Any]]) -> Iterator[str]:
    """One row a way: how many passed, and how many as good a model would have."""
    yield "| Candidate | Passed | Mean Dice against the model in use | Chance stated for an equal one |"
    yield "| --- | --- | --- | --- |"
    for way in WAYS:
        own = [one for one in found if one["way"] == way]
        if own:
            differences = [one["gate"]["findings"][0]["difference"] for one in own]
            stated = np.mean([one["gate"]["alike"] for one in own])
            yield f"| {way} | {sum(one['passed'] for one in own)} of {len(own)} | {np.mean(differences):+.3f} | {stated:.0%} |"
    back = [one["back_seconds"] for one in found if one["back_seconds"] is not None]
    if back:
        yield f"\nRolled back {len(back)} times, at most {max(back):.3f} s."


def main(arguments: list[str]) -> None:
    """Run what is lacking, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with nuclei_dsb2018")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=80, help="of every training")
    parser.add_argument("--ways", type=lambda text: text.split(","), default=list(WAYS))
    parser.add_argument("--json", type=Path, default=Path("release_gate.jsonl"))
    options = parser.parse_args(arguments)
    print("\n".join(table(list(runs(options)))))


if __name__ == "__main__":
    main(sys.argv[1:])
