"""Whether the cases that come in are still like those that the model in use was judged on: for all of them, or for each scanner or site.

The embeddings of a group are compared with those of evaluated patients: these were drawn at random when they came, and the model never
learned from them. Training cases are no such reference, since a network knows them, and a strategy chose them; what images look like is
compared with both. A group with evaluated patients of its own is compared with these, since it was there when the model was judged.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from medloop.core.errors import InputError, SettingError
from medloop.core.names import counted, natural_key
from medloop.core.records import Case, Model
from medloop.core.seeds import generator
from medloop.images.appearance import appearance_names
from medloop.loop.foundation.described import Report
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.appearances import kept_appearances
from medloop.loop.judging.domain import MOST_MADE, Described, Domain, Standings, described, domain_of, known_domain, standings
from medloop.loop.judging.drift_errors import Annotated, annotated_beside, calibration_drift
from medloop.loop.judging.drift_groups import ALL, column_of, group_of, remember_drifted
from medloop.metrics.drift import DriftTest, GroupDrift, corrected, few_words
from medloop.metrics.two_sample import FEWEST_PATIENTS, PERMUTATIONS, classifier_test, holm, ks_test, mmd_test, patient_medians, two_sides

MOST_PATIENTS = 200
"""Of each side: more cost time, and show differences that nobody would mind."""

PER_GROUP = 100
"""Permutations for each compared group: the lowest p there is, times the four tests of every group, is then 0.04."""

Known = Callable[[str], bool]


@dataclass(frozen=True)
class CaseStanding:
    """A case of the report: the p-value of its distance from the domain, and whether that puts it outside."""

    case_id: str
    name: str
    group: str
    p: float
    outside: bool


@dataclass(frozen=True)
class DriftReport:
    """What the cases that came in are like.

    Attributes:
        model_index: The model in use.
        by: The column that made the groups; "all" for one group.
        groups: One finding for each.
        cases: Every compared case, the least likely first.
        unpredicted: Cases without an embedding by this model, which are not compared.
        note: Why nothing can be said of single cases, in words; "" where it can.
        unread: Cases that are not compared yet as nobody looked at their images; a further look goes on with them.
        imported: What cases are beside the statistics that models from elsewhere came with, in words.
    """

    model_index: int
    by: str
    groups: tuple[GroupDrift, ...]
    cases: tuple[CaseStanding, ...]
    unpredicted: int
    note: str
    unread: int = 0
    imported: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Compared:
    """Cases that came in, beside a domain.

    Attributes:
        groups: Name of the group of each case, by id.
        standings: By id.
    """

    domain: Domain
    incoming: Described
    by: str
    groups: Mapping[str, str]
    standings: Standings
    drifts: tuple[GroupDrift, ...] = field(default=())

    def drift_of(self, case_id: str) -> GroupDrift | None:
        """What is found of the group of a case."""
        return next((one for one in self.drifts if one.group == self.groups.get(case_id)), None)


def drift_report(
    workspace: Workspace, *, by: str = "", since: str = "", report: Report | None = None, most: int | None = None
) -> DriftReport:
    """Compare the unlabelled cases with those that the model in use was judged on.

    Args:
        workspace: The project.
        by: Column that makes groups, such as "scanner"; "all" for one group, "" for the first of `ATTRIBUTES` that cases have.
        since: Only cases added on this day (2026-11-30) or later, against evaluated ones of before.
        report: Told how far it is.
        most: Images that are read on each side which nobody looked at yet; None for all. The others are counted, and follow later.

    Raises:
        InputError: No model in use, no case to compare, or no such column.
        SettingError: A day that is none.
    """
    with workspace.store.read() as tx:
        model = tx.live_model()
        pool = sorted(tx.unlabelled_cases(["train", "audit"]), key=lambda c: natural_key(c.name))
    if model is None:
        raise InputError("A drift report needs a model, got none", remedy="annotate some cases and train")
    day = _day(since)
    pool = [case for case in pool if case.added_at >= day]
    if not pool:
        raise InputError(f"A drift report needs unlabelled cases{f' since {since}' if since else ''}, got none", remedy="add cases")
    found = compare(workspace, model, pool, by=by, day=day, report=report, most=most)
    lines = [
        CaseStanding(case.id, case.name, found.groups[case.id], one.p, one.outside)
        for case in found.incoming.cases
        if (one := found.standings.get(case.id))
    ]
    lines.sort(key=lambda line: (line.p, natural_key(line.name)))
    unread = _unread(workspace, model, pool)
    unpredicted = max(0, len(pool) - len(found.incoming) - unread)
    return DriftReport(model.index, found.by, found.drifts, tuple(lines), unpredicted, found.domain.note, unread)


def _unread(workspace: Workspace, model: Model, pool: Sequence[Case]) -> int:
    """How many cases that have an embedding nobody looked at yet."""
    with workspace.store.read() as tx:
        seen = {p.case_id for p in tx.latest_predictions(model.id, among=[case.id for case in pool]) if p.features}
    return len({case.id for case in pool if case.voxels} & seen - kept_appearances(workspace, pool).keys())


def compare(
    workspace: Workspace,
    model: Model,
    pool: Sequence[Case],
    *,
    by: str = "",
    day: str = "",
    report: Report | None = None,
    most: int | None = None,
) -> Compared:
    """Compare cases with the domain of a model, group by group; `most` images are read that were never looked at, None for all."""
    domain = known_domain(workspace, model, most=most, report=report)
    if day:
        before = {case.id for case in domain.held_out.cases if case.added_at < day}
        domain = domain_of(model, domain.training, domain.held_out.where(before), day)
    incoming = described(workspace, model, pool, like=domain.held_out, most=most, report=report)
    column = column_of(pool, by)
    groups = {case.id: group_of(case, column) for case in (*pool, *domain.held_out.cases, *domain.training.cases)}
    stand = standings(domain, incoming)
    names = sorted({groups[case.id] for case in pool}, key=natural_key)
    without = Compared(domain, incoming, column, groups, stand)
    annotated = annotated_beside(workspace, domain)
    found = corrected(
        [_group(workspace, without, annotated, name, [case for case in pool if groups[case.id] == name], day) for name in names]
    )
    if not day:
        remember_drifted(workspace, model, column, [one.group for one in found if one.verdict == "drift"])
    return Compared(domain, incoming, column, groups, stand, found)


def compare_now(workspace: Workspace, model: Model, pool: Sequence[Case]) -> Compared:
    """As `compare`, where somebody waits for it."""
    return compare(workspace, model, pool, most=MOST_MADE)


def _day(since: str) -> str:
    from datetime import date

    if not since:
        return ""
    try:
        return date.fromisoformat(since).isoformat()
    except ValueError as error:
        raise SettingError(f"since must be a day such as 2026-11-30, got {since!r}") from error


def _group(workspace: Workspace, found: Compared, annotated: Annotated, name: str, pool: Sequence[Case], day: str) -> GroupDrift:
    new = _some(workspace, found.incoming.where({case.id for case in pool}), name)
    reference, own = _reference(found, name)
    new, reference, both = apart(new, reference)
    reference = _some(workspace, reference, f"{name} reference")
    patients, known = len(set(new.patients)), len(set(reference.patients))
    words = few_words(patients, known)
    tests = () if words else _tests(workspace, found, name, new, reference)
    judged_before = {case.id for case in found.domain.held_out.cases} if name == ALL and not day else set[str]()
    errors = calibration_drift(
        workspace,
        found.domain,
        annotated,
        lambda case: group_of(case, found.by) == name and case.added_at >= day and case.id not in judged_before,
    )
    judged = [found.standings[case.id].outside for case in pool if case.id in found.standings]
    return GroupDrift(
        group=name,
        cases=len(new),
        patients=patients,
        reference=f"evaluated patients of {name}" if own else "all evaluated patients",
        reference_cases=len(reference),
        reference_patients=known,
        tests=(*tests, *((errors.test,) if errors.test else ())),
        outside=sum(judged) if judged else None,
        verdict="too few",
        meaning=words,
        notes=tuple(filter(None, (both, errors.note))),
    )


def apart(new: Described, reference: Described) -> tuple[Described, Described, str]:
    """Both sides without common patients, which are taken from the side that has more to spare; in words if from the new cases."""
    common = set(new.patients) & set(reference.patients)
    if not common:
        return new, reference, ""
    fewer_known = _without(reference, common)
    fewer_new = _without(new, common)
    if min(_patients(new), _patients(fewer_known)) >= min(FEWEST_PATIENTS, _patients(fewer_new), _patients(reference)):
        return new, fewer_known, ""
    return fewer_new, reference, f"without the cases of {counted(len(common), 'patient')} evaluated on another case"


def _without(side: Described, patients: Collection[str]) -> Described:
    return side.where({case.id for case in side.cases if case.patient not in patients})


def _patients(side: Described) -> int:
    return len(set(side.patients))


def _reference(found: Compared, name: str) -> tuple[Described, bool]:
    """The evaluated cases of the same group where these are enough, else all; and whether they are its own."""
    held_out = found.domain.held_out
    own = held_out.where({case.id for case in held_out.cases if found.groups[case.id] == name})
    enough = found.by != ALL and len(set(own.patients)) >= FEWEST_PATIENTS
    return (own, True) if enough else (held_out, False)


def _some(workspace: Workspace, cases: Described, name: str) -> Described:
    """Cases of at most `MOST_PATIENTS` patients, drawn at random but always the same."""
    patients = sorted(set(cases.patients))
    if len(patients) <= MOST_PATIENTS:
        return cases
    drawn = generator(workspace.settings.seed, "drift", name).permutation(len(patients))[:MOST_PATIENTS]
    kept = {patients[n] for n in drawn}
    return cases.where({case.id for case in cases.cases if case.patient in kept})


def _tests(workspace: Workspace, found: Compared, name: str, new: Described, reference: Described) -> tuple[DriftTest, ...]:
    rng = generator(workspace.settings.seed, "drift tests", found.domain.model.index, name)
    seen = two_sides(reference.embeddings, new.embeddings, reference.patients, new.patients)
    both = two_sides(reference.together, new.together, reference.patients, new.patients)
    permutations = permutations_of(found.incoming, found.groups)
    distance, told = mmd_test(seen, rng, permutations=permutations), classifier_test(both, rng, permutations=permutations)
    return (
        DriftTest("embedding", "", distance.statistic, distance.p, distance.effect, "distance of the embeddings (MMD)"),
        DriftTest("classifier", "", told.statistic, told.p, told.effect, "chance to tell two cases apart (AUC)"),
        _intensities(_with_training(found, reference, new), new),
    )


def permutations_of(incoming: Described, groups: Mapping[str, str]) -> int:
    """So many that the lowest p-value there is still shows a drift once it is corrected for the tests of all groups."""
    patients = {(groups[case.id], case.patient) for case in incoming.cases}
    tested = sum(count >= FEWEST_PATIENTS for count in Counter(group for group, _ in patients).values())
    return max(PERMUTATIONS, PER_GROUP * tested - 1)


def _with_training(found: Compared, reference: Described, new: Described) -> Described:
    """The reference and the training cases of other patients: no network knows what an image looks like."""
    training = found.domain.training
    others = training.where({c.id for c in training.cases if c.patient not in {*new.patients, *reference.patients}})
    if not len(others):
        return reference
    return Described(
        (*reference.cases, *others.cases),
        np.concatenate([reference.embeddings, others.embeddings]),
        np.concatenate([reference.raw, others.raw]),
    )


def _intensities(reference: Described, new: Described) -> DriftTest:
    """The number in which the images differ most, corrected for how many there are."""
    before, after = patient_medians(reference.raw, reference.patients), patient_medians(new.raw, new.patients)
    names = appearance_names(new.cases[0].channels)
    tests = [ks_test(before[:, n], after[:, n]) for n in range(len(names))]
    p_values = holm([test.p for test in tests])
    most = int(np.argmin(p_values))
    middle = [float(np.median(side[:, most])) for side in (before, after)]
    logarithm = any(word in names[most] for word in ("spacing", "voxels", "noise", "sharpness"))
    shown = " -> ".join(f"{np.exp(value) if logarithm else value:.4g}" for value in middle)
    return DriftTest(
        "intensities", f"{names[most]}: {shown}", tests[most].statistic, p_values[most], tests[most].effect, "distance of the shares (KS)"
    )
