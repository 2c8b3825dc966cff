"""A drift report in words."""

from itertools import chain

from medloop.core.names import counted
from medloop.loop.judging.drift import DriftReport
from medloop.metrics.drift import GroupDrift


def report_lines(found: DriftReport) -> list[str]:
    """The report in words."""
    return (
        list(chain.from_iterable(_group_lines(group) for group in found.groups))
        + ([found.note] if found.note else [])
        + list(found.imported)
    )


def _group_lines(group: GroupDrift) -> list[str]:
    against = f"{counted(group.reference_cases, 'case')} of {group.reference} ({counted(group.reference_patients, 'patient')})"
    first = f"{group.group}: {group.verdict}; {counted(group.cases, 'case')} of {counted(group.patients, 'patient')} against {against}"
    outside = [f"  {counted(group.outside, 'case')} outside of the domain"] if group.outside else []
    tests = [
        f"  {t.kind:<12} p {t.p:.4f}, corrected {t.corrected:.4f}; {t.effect_name} {t.effect:.3f} {t.about}".rstrip() for t in group.tests
    ]
    return [first, f"  {group.meaning}", *tests, *outside, *(f"  {note}" for note in group.notes)]
