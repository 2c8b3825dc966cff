"""Which studies of an archive a project has as one case of several series: judged by study, as a series alone is no such case."""

from collections.abc import Callable, Collection, Sequence
from functools import cache

from medloop.core.records import Case, ReferenceSeries
from medloop.datasets.channel_names import Wanted
from medloop.loop.foundation.pseudonyms import pseudonyms_of
from medloop.loop.foundation.workspace import Workspace
from medloop.pacs.archive import Archive, FoundSeries


def studies_joined(workspace: Workspace, archive: Archive, found: Sequence[FoundSeries], wanted: Wanted) -> Callable[[str], bool]:
    """What finds out whether nothing of a study is left to fetch, by its UID.

    So it is where one case has the wanted channels, and every other series is beside that case, or is not to be kept. Series that are
    cases of their own, or lack one that has to be joined with them, are fetched again with the rest of their study.

    Args:
        workspace: The project.
        archive: Lists the images of each series.
        found: What a pull is about.
        wanted: Which series are the channels of one case, and what becomes of the others.
    """
    images, call = _images_of_cases(workspace, wanted), pseudonyms_of(workspace).uid

    @cache
    def is_there(study: str) -> bool:
        listed = [archive.instances(one.study, one.series) for one in found if one.study == study and one.is_image]
        return any(_is_all_of(listed, case, wanted, call) for case in images)

    return is_there


def _is_all_of(listed: Sequence[Sequence[str]], case: Collection[str], wanted: Wanted, call: Callable[[str], str]) -> bool:
    """Whether a case has the series of a study, whole, and lacks none that it should have."""
    counts = [(sum(uid in case or call(uid) in case for uid in series), len(series)) for series in listed if series]
    whole, lacking = [n for n, of in counts if n == of], [n for n, of in counts if n < of]
    return bool(whole) and (not lacking or (wanted.references == "none" and not any(lacking)))


def _images_of_cases(workspace: Workspace, wanted: Wanted) -> list[set[str]]:
    """UIDs of the images of each case that has the wanted channels, with those of the series beside it."""
    names = tuple(channel.name for channel in wanted.channels)
    with workspace.store.read() as tx:
        cases = [case for case in tx.find(Case) if case.channels == len(names) and (len(names) == 1 or case.display.channel_names == names)]
        beside = [one for one in tx.find(ReferenceSeries) if one.removed_at is None]
    found = {case.id: _uids(case) for case in cases if case.source.format == "dicom"}
    for one in beside:
        if one.case_id in found and one.source.format == "dicom":
            found[one.case_id] |= _uids(one)
    return list(found.values())


def _uids(one: Case | ReferenceSeries) -> set[str]:
    return {uid for name in ("instances", "channel_instances") for uid in one.source.dicom.get(name, ())}
