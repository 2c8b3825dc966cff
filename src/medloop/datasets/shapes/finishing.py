"""What every source of shapes does at the end: names for its cases, pictures that nobody lists, labels that nothing uses."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from medloop.core.names import composed
from medloop.datasets.dataset import CaseSource, Dataset
from medloop.datasets.files import split_suffix
from medloop.datasets.pairing import CaseList
from medloop.datasets.shapes.documents import Pictures
from medloop.datasets.unread import unread_files
from medloop.images.shapes.regions import Drawing

BOXES_BESIDE = "boxes and points beside masks are not read: what only they mark counts as absent in it, so draw that, too"


def named_cases(pictures: Pictures, cases: CaseList, drawn: Mapping[Path, CaseSource]) -> None:
    """Add the cases, called like their files, with the folder where two are alike."""
    stems = Counter(_stem(path) for path in drawn)
    for path, case in drawn.items():
        label = pictures.root.label(path)
        name = _stem(path) if stems[_stem(path)] == 1 else split_suffix(label)[0].replace("/", "_")
        notes = (BOXES_BESIDE,) if case.drawing is not None and case.marks else ()
        marks = () if case.drawing is not None else case.marks
        cases.add(replace(case, name=name, marks=marks, notes=(*case.notes, *notes)), label)


def finished(dataset: Dataset, file: str, pictures: Pictures, cases: CaseList, used: Collection[int]) -> Dataset:
    """The opened source.

    Args:
        dataset: Without its cases.
        file: The document.
        pictures: That it may list.
        cases: As they were found; one that a table says is annotated has an empty drawing where nothing is drawn.
        used: Values of the labels that something is drawn with.
    """
    for name, case in cases.found.items():
        if case.drawing is None and case.tag is None and not case.marks and case.annotated_at is not None:
            cases.found[name] = replace(case, drawing=Drawing(file, ()))
    rule = f"pictures are read where {file} lists them"
    cases.refused += [*pictures.refused, *unread_files(pictures.root, pictures.unlisted(), rule, "list them, or import that folder")]
    idle = frozenset(name for name, value in dataset.label_values.items() if value not in used)
    return replace(dataset, cases=cases.sorted(), refused=tuple(cases.refused), idle=idle)


def _stem(path: Path) -> str:
    return composed(split_suffix(path.name)[0])
