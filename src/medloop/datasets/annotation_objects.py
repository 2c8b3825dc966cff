"""Which DICOM annotations (SEG, RTSTRUCT) belong to which series: by the images that they point at, never by name or order.

An object that names no image is matched by its frame of reference, where one series alone has it. What leads to no series, or
to several, is refused by name; the series come in all the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.names import counted
from medloop.datasets.files import Root
from medloop.datasets.pairing import CaseList
from medloop.images.files import sha256_of

if TYPE_CHECKING:
    from medloop.images.dicom_objects import ObjectFacts
    from medloop.images.dicom_series import SeriesFiles

_ITS_SERIES = "import it together with its series, or choose the annotation of this one"
_KEYED = "2.25."
"""How UIDs begin that a project makes of its own."""

_ONE_OF_TWO = "leave one of the two out"


@dataclass
class ObjectMatches:
    """What matching found.

    Attributes:
        of_series: Number of a series → its objects, by name.
        notes: Number of a series → what was noticed.
    """

    of_series: dict[int, list[Path]] = field(default_factory=dict)
    notes: dict[int, list[str]] = field(default_factory=dict)


Naming = Callable[[Path], str]


def objects_below(folder: Path, cases: CaseList) -> tuple[list["ObjectFacts"], Naming]:
    """The annotation objects in a folder of their own, and how its files are named; what is none is refused by name.

    Raises:
        FormatError: The folder cannot be read.
    """
    from medloop.images.dicom import list_series

    root = Root.of(folder)
    files, refused = root.walk()
    cases.refused += refused
    listing = list_series([path for path in files if root.holds(path)])
    for one in listing.refused:
        cases.refuse(root.label(one.path), one.rule, "", one.remedy)
    images = sum(len(one.paths) for one in listing.series)
    if images:
        cases.refuse(f"{folder.name}/", f"a folder of annotations is read for SEG and RTSTRUCT, {counted(images, 'image')} here: not read")
    return list(listing.objects), root.label


def match_objects(
    objects: Sequence["ObjectFacts"],
    series: Sequence["SeriesFiles"],
    cases: CaseList,
    naming: Naming,
    known_as: Callable[[str], str] = str,
) -> ObjectMatches:
    """Find the series of each object, or refuse it.

    Args:
        objects: In any order.
        series: That the source has.
        cases: Takes the refusals.
        naming: What a file is called in messages.
        known_as: What a project calls a UID, which objects that it exported have.
    """
    found = ObjectMatches()
    instances = [one.instances | {known_as(uid) for uid in one.instances} for one in series]
    frames = [{one.frame_of_reference, known_as(one.frame_of_reference)} for one in series]
    for one in _distinct(objects, cases, naming):
        fitting = [n for n, other in enumerate(instances) if other.intersection(one.instances)]
        by_frame = not one.instances
        if by_frame:
            fitting = [n for n, other in enumerate(frames) if other.intersection(one.frames_of_reference)]
        if len(fitting) == 1:
            found.of_series.setdefault(fitting[0], []).append(one.path)
            if by_frame:
                found.notes.setdefault(fitting[0], []).append(
                    f"{naming(one.path)} names no image; it is matched by its frame of reference and its place"
                )
        else:
            _refuse(one, len(fitting), cases, naming)
    return found


def _refuse(one: "ObjectFacts", fitting: int, cases: CaseList, naming: Naming) -> None:
    label = naming(one.path)
    if not one.instances and not one.frames_of_reference:
        cases.refuse(label, f"a {one.kind} points at its images, this names neither images nor a frame of reference", "", "export it again")
    elif not one.instances:
        cases.refuse(
            label, f"a {one.kind} that names no image needs one series of its frame of reference, {fitting} are here", "", _ITS_SERIES
        )
    elif fitting:
        cases.refuse(label, f"a {one.kind} annotates one case, its images are of {fitting}", "", "export one for each series")
    else:
        images = counted(len(one.instances), "image")
        cases.refuse(
            label, f"a {one.kind} points at images of its source, the {images} that this names are of no series here", "", _remedy(one)
        )


def _remedy(one: "ObjectFacts") -> str:
    keyed = all(uid.startswith(_KEYED) for uid in one.instances)
    return f"{_ITS_SERIES}; if medloop exported it, export it again with --source DIR" if keyed else _ITS_SERIES


def _distinct(objects: Sequence["ObjectFacts"], cases: CaseList, naming: Naming) -> list["ObjectFacts"]:
    """One object for each SOP Instance UID: copies are left out, and of different files of one UID all."""
    by_uid: dict[str, list[ObjectFacts]] = {}
    for one in sorted(objects, key=lambda each: each.path):
        by_uid.setdefault(one.instance or str(one.path), []).append(one)
    kept = []
    for same in by_uid.values():
        if len({sha256_of([one.path]) for one in same}) > 1:
            for one in same:
                other = next(each for each in same if each is not one)
                cases.refuse(
                    naming(one.path), f"a SOP Instance UID is one file's, {naming(other.path)} has it with another content", "", _ONE_OF_TWO
                )
            continue
        kept.append(same[0])
        for one in same[1:]:
            cases.refuse(naming(one.path), f"it repeats {naming(same[0].path)}, byte for byte", "", _ONE_OF_TWO)
    return kept
