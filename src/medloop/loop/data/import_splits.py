"""Splits of an import: fixed at first sight of a patient, and never two for one.

A source that gives one patient two splits, or another split than the project has fixed, is refused as a whole before
anything is stored: whichever side won in silence, people would be trained on and evaluated with.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from medloop.core.errors import ConflictError, FormatError
from medloop.core.names import composed, in_natural_order
from medloop.core.records import EVALUATION_SPLITS, Case, Split
from medloop.datasets.dataset import CaseSource, Dataset
from medloop.datasets.splits import SplitCase, assign_splits
from medloop.loop.foundation.pseudonyms import pseudonyms_of
from medloop.loop.foundation.workspace import Workspace

_SHOWN = 5
_BY_FOLDER = ("msd", "nnunet")


def import_splits(workspace: Workspace, dataset: Dataset, called: Mapping[str, str]) -> Mapping[str, Split]:
    """Case name → split; patients met before keep theirs.

    The draw goes by what the source calls its patients, so that it is the same in every project; `called` says what the project calls them.

    What a layout's folders say of a case that is there already (a mask put into labelsTs since) moves nothing and is no error.

    Raises:
        FormatError: The source puts a patient into two splits.
        ConflictError: It gives a patient another split than the project, or says that cases of several splits are one patient's.
    """
    listed = list(dataset.cases)
    with workspace.store.read() as tx:
        stored = tx.find(Case)
    sources = {word: patient for patient, word in called.items()}
    stored = [replace(case, patient=sources.get(composed(case.patient), case.patient)) for case in stored]
    there = {composed(case.name) for case in stored} if dataset.format in _BY_FOLDER else set()
    fixed = _fixed(stored, listed)
    _require_one(_given(listed), "The source puts", FormatError, "give each patient one split, or leave the split out")
    _require_one(fixed, "The project already has", ConflictError, "splits never move: make a new project, or correct the patients")
    known = {patient: next(iter(splits)) for patient, splits in fixed.items()}
    _require_kept([case for case in listed if case.name not in there], known)
    settings = workspace.settings
    known |= _drawn_for_audit(workspace, listed, known, called)
    return assign_splits(
        [_split_case(case, known) for case in listed],
        validation=settings.validation_fraction,
        test=settings.test_fraction,
        audit=settings.audit_fraction,
        seed=settings.seed,
    )


def _drawn_for_audit(
    workspace: Workspace, listed: Iterable[CaseSource], known: Mapping[str, Split], called: Mapping[str, str]
) -> dict[str, Split]:
    """In a stream that accepts proposals, the split of each new patient without labels: drawn one by one, by the project's key."""
    settings = workspace.settings
    if settings.stream_risk <= 0:
        return {}
    labelled = {case.patient for case in listed if case.labelled}
    new = {case.patient for case in listed if case.split is None} - set(known) - labelled
    key = pseudonyms_of(workspace) if new else None
    drawn = {patient: key.share(called.get(patient, patient)) < settings.stream_audit for patient in sorted(new)} if key else {}
    return {patient: "audit" if chosen else "train" for patient, chosen in drawn.items()}


def drawn_along(cases: Iterable[CaseSource], splits: Mapping[str, Split]) -> frozenset[str]:
    """Cases that are kept for evaluation only because the source put another image of their patient there."""
    listed = list(cases)
    fixed = {case.patient for case in listed if case.split is not None}
    return frozenset(c.name for c in listed if c.split is None and c.patient in fixed and splits[c.name] in EVALUATION_SPLITS)


def _split_case(case: CaseSource, known: Mapping[str, Split]) -> SplitCase:
    split = known.get(case.patient, case.split)
    return SplitCase(case.name, case.patient, stratum=case.stratum or (case.tag or ""), labelled=case.labelled, split=split)


def _fixed(stored: Iterable[Case], listed: Iterable[CaseSource]) -> dict[str, dict[Split, list[str]]]:
    """Patient → the splits the project has fixed, by what it knows and by what the source now says of its cases."""
    by_name: dict[str, Case] = {}
    listed = list(listed)
    fixed: dict[str, dict[Split, list[str]]] = defaultdict(lambda: defaultdict(list))
    for case in stored:
        by_name[composed(case.name)] = case
        fixed[composed(case.patient)][case.split].append(case.name)
    for source in listed:
        old = by_name.get(source.name)
        if old is not None and composed(old.patient) != source.patient:
            fixed[source.patient][old.split].append(source.name)
    concerned = {source.patient for source in listed}
    return {patient: splits for patient, splits in fixed.items() if patient in concerned}


def _given(listed: Iterable[CaseSource]) -> dict[str, dict[Split, list[str]]]:
    given: dict[str, dict[Split, list[str]]] = defaultdict(lambda: defaultdict(list))
    for case in listed:
        if case.split is not None:
            given[case.patient][case.split].append(case.name)
    return given


def _require_one(
    by_patient: Mapping[str, Mapping[Split, list[str]]], who: str, kind: type[FormatError | ConflictError], remedy: str
) -> None:
    torn = [f"{patient}: {_places(splits)}" for patient, splits in by_patient.items() if len(splits) > 1]
    if torn:
        raise kind(f"{who} {len(torn)} {_people(len(torn))} in two splits: {_some(torn, '; ')}", remedy=remedy)


def _places(splits: Mapping[Split, list[str]]) -> str:
    return ", ".join(f"{split} ({_some(names)})" for split, names in sorted(splits.items()))


def _require_kept(listed: Iterable[CaseSource], known: Mapping[str, Split]) -> None:
    moved = {case.patient: case.split for case in listed if case.split and known.get(case.patient, case.split) != case.split}
    if moved:
        words = [f"{patient} is in {known[patient]}, the source says {split}" for patient, split in moved.items()]
        raise ConflictError(
            f"Splits never move, but {len(moved)} {_people(len(moved))} would: {_some(words, '; ')}",
            remedy="correct the split, or leave it out",
        )


def _people(count: int) -> str:
    return "patient" if count == 1 else "patients"


def _some(words: Iterable[str], mark: str = ", ") -> str:
    listed = in_natural_order(words)
    return mark.join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")
