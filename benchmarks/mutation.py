"""Do the tests notice? A seeded sample of small faults in the program, each run against the tests nearest to it.

A fault swaps a comparison, an arithmetic or a boolean operator, moves a whole number by one or drops a `not` (the operators of
DeMillo, Lipton and Sayward 1978 that fit Python). It is written into a copy of the sources; first the test files that name the module
run, then those of its package, or, where one run of the suite has recorded which test runs which line, the tests of that line. What no
test notices is printed with its line, to be read by a person: some faults change nothing (a faster path left out, a chunk of another
size), the others lack a test.

    python -m pytest -n 2 --dist loadgroup --cov=src/medloop --cov-context=test --cov-report= tests --ignore tests/browser
    python benchmarks/mutation.py --sample 100 --seed 0 --contexts .coverage --json mutation.json
    python benchmarks/mutation.py --only loop/querying/rounds.py:120 --sample 5
"""

import argparse
import ast
import copy
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "medloop"
ROOMS = ("query", "metrics", "store", "loop", "core", "images")
"""`core` and `images` hold the geometry."""

MADE_UP = ("phantoms.py", "anatomy.py")
"""Made-up pictures: another number is another picture, and no fault."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}
PER_TEST_SECONDS = 120


NAMED = (
    ("store/events.py", "[event.seq, event.at, ", "[event.seq, "),
    ("loop/querying/rounds.py", "left.round_id is not None or left.revision > 0", "left.round_id is not None"),
    ("loop/annotating/opening.py", "assignment.revision == 0 and standing", "standing"),
    ("loop/annotating/provenance.py", "(part == 0) & ", ""),
    ("query/stopping.py", "len(scores) - 2", "len(scores) - 1"),
    ("query/diversity/kcentre.py", "np.finfo(squares.dtype).eps / 2)", "np.finfo(squares.dtype).eps * 0)"),
    ("interaction/guard.py", ", structure=np.ones((3, 3, 3))", ""),
    ("core/geometry.py", "< 1e-3", "< 1e-9"),
    ("query/uncertainty/aggregation.py", "round(TOP_SHARE * product.size)", "int(TOP_SHARE * product.size)"),
    ("query/aggregation/ranks.py", "return np.round(mean, _DIGITS)", "return mean"),
    ("query/aggregation/rank_fusion.py", "return np.round(gains, _DIGITS)", "return gains"),
)
"""Faults that tests once missed: file, text before and after."""


@dataclass(frozen=True)
class Fault:
    """One change of one node.

    Attributes:
        module: Path below `src/medloop`.
        line: Where.
        index: Number of the node in the order of `ast.walk`.
        change: What was written there before and after.
        texts: For a named fault: the text to replace and what replaces it; `index` says nothing then.
    """

    module: str
    line: int
    index: int
    change: str
    texts: tuple[str, str] | None = None


@dataclass(frozen=True)
class Verdict:
    """A fault and the test file that noticed it; None: it lives."""

    fault: Fault
    noticed_by: str | None


def faulty(node: ast.AST) -> ast.AST | None:
    """The node with a fault; None where no operator fits."""
    changed = copy.deepcopy(node)
    if isinstance(changed, ast.Compare) and len(changed.ops) == 1:
        changed.ops = [COMPARISONS[type(changed.ops[0])]()]
    elif isinstance(changed, ast.BinOp) and type(changed.op) in ARITHMETIC and not _holds_text(changed):
        changed.op = ARITHMETIC[type(changed.op)]()
    elif isinstance(changed, ast.BoolOp):
        changed.op = ast.And() if isinstance(changed.op, ast.Or) else ast.Or()
    elif isinstance(changed, ast.UnaryOp) and isinstance(changed.op, ast.Not):
        return changed.operand
    elif isinstance(changed, ast.Constant) and type(changed.value) is int:
        changed.value += 1
    else:
        return None
    return changed


def faults_of(path: Path) -> Iterator[Fault]:
    """Every fault that can be made in the code of a file: annotations, texts and what only declares are left out."""
    tree = ast.parse(path.read_text("utf-8"))
    skipped = {id(part) for node in ast.walk(tree) for left_out in _left_out(node) for part in ast.walk(left_out)}
    for index, node in enumerate(ast.walk(tree)):
        if id(node) in skipped or (changed := faulty(node)) is None:
            continue
        change = f"{ast.unparse(node)}  ->  {ast.unparse(changed)}"
        yield Fault(path.relative_to(PACKAGE).as_posix(), getattr(node, "lineno", 0), index, change)


def apply(source: str, fault: Fault) -> str:
    """The source with the fault."""
    if fault.texts is not None:
        assert source.count(fault.texts[0]) == 1, f"{fault.module} does not hold {fault.texts[0]!r} once"
        return source.replace(*fault.texts)
    index = fault.index
    tree = ast.parse(source)
    target = list(ast.walk(tree))[index]
    changed = faulty(target)
    assert changed is not None
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, name, changed)
            elif isinstance(value, list):
                setattr(parent, name, [changed if item is target else item for item in value])
    return ast.unparse(ast.fix_missing_locations(tree))


def nearest_tests(module: str, root: Path, *, near: bool = False) -> list[list[str]]:
    """Test files by stages: those that name the module, then those of its package; no browser tests.

    With `near` only those of its package that name the module, where there are some.
    """
    dotted = "medloop." + module.removesuffix(".py").replace("/", ".")
    files = [p for p in (root / "tests").rglob("test_*.py") if "browser" not in p.parts]
    stem = "test_" + Path(module).stem
    naming = [p for p in files if p.stem == stem or _names(p.read_text("utf-8"), dotted)]
    room = root / "tests" / module.split("/")[0]
    rest = [p for p in files if room in p.parents and p not in naming]
    if near:
        naming = [p for p in naming if room in p.parents] or naming
    naming.sort(key=lambda p: p.stem != stem)
    return [[str(p.relative_to(root)) for p in stage] for stage in ((naming,) if near and naming else (naming, rest)) if stage]


def tests_of_line(fault: Fault, contexts: Path) -> list[list[str]]:
    """Node ids of the tests that run the line of a fault, by stages: its own room's, then the others'.

    Args:
        fault: Where.
        contexts: A data file of coverage.py with one context per test (pytest-cov's `--cov-context=test`).
    """
    with sqlite3.connect(f"file:{contexts}?mode=ro", uri=True) as data:
        rows = data.execute(
            "select context.context, numbits from line_bits join file on file.id = file_id join context on context.id = context_id "
            "where file.path like ?",
            (f"%/src/medloop/{fault.module}",),
        ).fetchall()
    ids = dict.fromkeys(name.rpartition("|")[0] for name, bits in rows if name and _has_line(bits, fault.line))
    room = f"tests/{fault.module.split('/')[0]}/"
    stages = [[i for i in ids if i.startswith(room)], [i for i in ids if not i.startswith(room)]]
    return [stage for stage in stages if stage]


def _has_line(bits: bytes, line: int) -> bool:
    """Whether a line's bit is set in coverage.py's `numbits`."""
    byte, bit = divmod(line, 8)
    return byte < len(bits) and bool(bits[byte] >> bit & 1)


def judge(fault: Fault, tree: Path, *, near: bool, contexts: Path | None = None) -> Verdict:
    """Run the nearest tests with a fault in a copy of the project, which is as before afterwards."""
    path = tree / "src" / "medloop" / fault.module
    source = path.read_text("utf-8")
    stages = (contexts and tests_of_line(fault, contexts)) or nearest_tests(fault.module, tree, near=near)
    path.write_text(apply(source, fault), "utf-8")
    try:
        for stage in stages:
            if (noticed := _failing(stage, tree)) is not None:
                return Verdict(fault, noticed)
    finally:
        path.write_text(source, "utf-8")
    return Verdict(fault, None)


def _failing(files: list[str], tree: Path) -> str | None:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", f"--timeout={PER_TEST_SECONDS}", *files]
    command += ["--basetemp", str(tree / "temporary")]
    environment = os.environ | {"PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode in (0, 5):
        return None
    if "file or directory not found" in done.stderr + done.stdout:
        raise RuntimeError(f"pytest could not run {files}: {done.stdout[-500:]}{done.stderr[-500:]}")
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return lines[0][:160] if lines else f"stopped with {done.returncode}: {done.stdout.strip().splitlines()[-1:]}"


def _left_out(node: ast.AST) -> Iterator[ast.AST]:
    """Parts without behaviour of their own."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from node.decorator_list
        if node.returns is not None:
            yield node.returns
    elif isinstance(node, ast.ClassDef):
        yield from node.decorator_list
    elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
        yield node.annotation
    elif isinstance(node, ast.Raise | ast.JoinedStr) or (
        isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ):
        yield node


def _holds_text(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.JoinedStr) or (isinstance(part, ast.Constant) and isinstance(part.value, str)) for part in ast.walk(node)
    )


def _names(text: str, dotted: str) -> bool:
    package, _, name = dotted.rpartition(".")
    return f"{dotted} import" in text or f"import {dotted}" in text or f"from {package} import {name}" in text


def draw(sample: int, seed: int, only: str | None) -> list[Fault]:
    """Faults drawn evenly over all places of the rooms, or of one file or line."""
    paths = [p for room in ROOMS for p in sorted((PACKAGE / room).rglob("*.py")) if "migrations" not in p.parts and p.name not in MADE_UP]
    faults = [fault for path in paths for fault in faults_of(path)]
    if only is not None:
        file, _, line = only.partition(":")
        faults = [fault for fault in faults if fault.module == file and line in ("", str(fault.line))]
    chosen = np.random.default_rng(seed).permutation(len(faults))[:sample]
    return [faults[number] for number in chosen]


def named() -> list[Fault]:
    """The faults of `NAMED`."""
    return [Fault(module, 0, 0, f"{before}  ->  {after}", (before, after)) for module, before, after in NAMED]


def copies(count: int, folder: Path) -> list[Path]:
    """Copies of the project to write faults into."""
    trees = [folder / f"copy-{number}" for number in range(count)]
    for tree in trees:
        tree.mkdir()
        names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        for name in filter(None, names):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    return trees


def main() -> None:
    """Draw, run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="FILE or FILE:LINE below src/medloop")
    parser.add_argument("--named", action="store_true", help="the faults that tests once missed, in place of a sample")
    parser.add_argument("--near", action="store_true", help="only the tests of its package that name the module")
    parser.add_argument("--contexts", type=Path, help="data of coverage.py with a context per test: the tests of the line judge")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="a run that was stopped goes on from there")
    options = parser.parse_args()
    faults = named() if options.named else draw(options.sample, options.seed, options.only)
    judged = json.loads(options.json.read_text()) if options.json and options.json.exists() else []
    verdicts = [Verdict(Fault(**one["fault"]), one["noticed_by"]) for one in judged]
    assert [v.fault.change for v in verdicts] == [f.change for f in faults[: len(verdicts)]], "the file is of another sample"
    with tempfile.TemporaryDirectory() as folder:
        free = copies(options.jobs, Path(folder))
        with ThreadPoolExecutor(options.jobs) as pool:
            for verdict in pool.map(lambda fault: _judged(fault, free, options), faults[len(verdicts) :]):
                verdicts.append(verdict)
                print(f"{verdict.fault.module}:{verdict.fault.line}  {verdict.fault.change}  {verdict.noticed_by or 'LIVES'}", flush=True)
                if options.json:
                    options.json.write_text(json.dumps([asdict(verdict) for verdict in verdicts], indent=1))
    alive = sum(verdict.noticed_by is None for verdict in verdicts)
    print(f"{alive} of {len(verdicts)} faults live")


def _judged(fault: Fault, free: list[Path], options: argparse.Namespace) -> Verdict:
    tree = free.pop()
    try:
        return judge(fault, tree, near=options.near, contexts=options.contexts)
    finally:
        free.append(tree)


if __name__ == "__main__":
    main()
