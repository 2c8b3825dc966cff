"""Who is for training and who is for evaluation: decided once, patient by patient.

Order never matters: patients are ranked by a hash of the seed and their own name, so the same patients
get the same splits however the files are listed.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medloop.core.errors import SettingError
from medloop.core.records import Split
from medloop.core.seeds import derive_seed

LEAST_PATIENTS = 5
"""From this many patients on, every split that is asked for gets at least one."""

_PROTECTED: tuple[Split, ...] = ("test", "validation", "audit", "train")
"""When a source puts one patient into several splits, the first of these wins: never train on test patients."""


@dataclass(frozen=True)
class SplitCase:
    """What a split needs to know of a case.

    Attributes:
        name: Unique.
        patient: Cases of one patient stay together.
        stratum: Key to balance, "" for none.
        labelled: Whether it comes with an answer.
        split: Already fixed, or None.
    """

    name: str
    patient: str
    stratum: str = ""
    labelled: bool = True
    split: Split | None = None


def assign_splits(cases: Sequence[SplitCase], *, validation: float, test: float, audit: float, seed: int) -> dict[str, Split]:
    """Give every case its split: by patient, stratified, reproducible.

    Splits that are already fixed are kept and count towards the shares. Labelled patients go to test, validation
    or train; patients without any answer to audit or train. From five free patients on, a split that is asked
    for gets at least one; at least one patient always stays for training.

    Args:
        cases: In any order; the result does not depend on it.
        validation: Share of the labelled patients, 0 ≤ share < 1.
        test: Share of the labelled patients; with `validation` < 1.
        audit: Share of the unlabelled patients, 0 ≤ share < 1.
        seed: Of the draw.

    Returns:
        Case name → split.

    Raises:
        SettingError: Shares outside their ranges.
    """
    if min(validation, test, audit) < 0 or validation + test >= 1 or audit >= 1:
        raise SettingError(f"Split shares must be >= 0 and leave cases to train, got {validation=}, {test=}, {audit=}")
    by_patient: dict[str, list[SplitCase]] = defaultdict(list)
    for case in cases:
        by_patient[case.patient].append(case)
    fixed = {patient: next((s for s in _PROTECTED if any(c.split == s for c in own)), None) for patient, own in by_patient.items()}
    labelled = {patient for patient, own in by_patient.items() if any(c.labelled for c in own)}
    strata = {patient: _stratum(own) for patient, own in by_patient.items()}
    chosen: dict[str, Split] = {patient: split for patient, split in fixed.items() if split}
    wanted: tuple[tuple[set[str], tuple[tuple[Split, float], ...]], ...] = (
        (labelled, (("test", test), ("validation", validation))),
        (set(by_patient) - labelled, (("audit", audit),)),
    )
    for patients, shares in wanted:
        chosen |= _draw(patients, shares, chosen, strata, seed)
    return {case.name: chosen.get(case.patient, "train") for case in cases}


def _stratum(cases: Sequence[SplitCase]) -> str:
    """The patient's most frequent stratum; the alphabet decides ties."""
    counts = Counter(case.stratum for case in cases if case.stratum)
    return min(counts, key=lambda s: (-counts[s], s), default="")


def _draw(
    patients: set[str], shares: Sequence[tuple[Split, float]], chosen: Mapping[str, Split], strata: Mapping[str, str], seed: int
) -> dict[str, Split]:
    free = sorted(patients - set(chosen), key=lambda p: (derive_seed(seed, "split", p), p))
    drawn: dict[str, Split] = {}
    some_train = any(chosen.get(p) == "train" for p in patients)
    for split, share in shares:
        there = sum(chosen.get(p) == split for p in patients)
        count = _count(share, len(patients), there)
        left = [p for p in free if p not in drawn]
        for patient in _balanced(left, min(count, len(left) - (not some_train)), strata):
            drawn[patient] = split
    return drawn


def _count(share: float, patients: int, there: int) -> int:
    """Patients to draw so that a split reaches its share of all, given those it already has."""
    wanted = int(share * patients + 0.5)
    if share > 0 and patients >= LEAST_PATIENTS:
        wanted = max(1, wanted)
    return max(0, wanted - there)


def _balanced(ranked: Sequence[str], count: int, strata: Mapping[str, str]) -> list[str]:
    """The first `count` patients in rank, spread over strata in proportion (largest remainder)."""
    if count <= 0:
        return []
    groups: dict[str, list[str]] = defaultdict(list)
    for patient in ranked:
        groups[strata[patient]].append(patient)
    exact = {s: count * len(members) / len(ranked) for s, members in groups.items()}
    take = {s: int(share) for s, share in exact.items()}
    rest = sorted(groups, key=lambda s: (take[s] - exact[s], ranked.index(groups[s][0])))
    for stratum in rest[: count - sum(take.values())]:
        take[stratum] += 1
    return [p for s, members in groups.items() for p in members[: take[s]]]
