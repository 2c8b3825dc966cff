"""Series and files that belong together: channels of one case, and references beside it.

DICOM series belong together by patient and study, and are told apart by their descriptions and modalities. Files belong together by what
their names begin with: `a_T1`, `a_T2` and `a_FLAIR` are of case `a`. Nothing is guessed: a channel that nothing or more than one series
is called by leaves the group out, with its name.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from medloop.core.errors import SettingError
from medloop.core.names import composed, first_named, folded
from medloop.datasets.channel_names import Wanted, WantedChannel
from medloop.datasets.dataset import CaseSource, ChannelFiles, Dataset, Refusal
from medloop.datasets.files import split_suffix
from medloop.datasets.folder import MASK_ENDINGS
from medloop.datasets.joining import NOT_REGISTERED
from medloop.datasets.series_words import is_called, sequence_name

_SEPARATORS = "_-. "
_TOO_FEW = "name the channels as its series or files are called, or import it without --channels"


@dataclass
class _Group:
    """Cases of one study, or files of one name.

    Attributes:
        stem: What their names begin with; "" for a study.
        members: Those that channels are looked for among.
    """

    stem: str
    members: list[CaseSource]


def grouped(dataset: Dataset, wanted: Wanted) -> Dataset:
    """An opened source whose cases have the channels that somebody named, and the other series beside them.

    Raises:
        SettingError: Channels of a source that says itself which they are, or of pictures and classes.
    """
    if not wanted.channels:
        return replace(dataset, cases=tuple(_as_channels(case, dataset, wanted) for case in dataset.cases))
    if dataset.format not in ("dicom", "folder", "csv"):
        rule = f"--channels joins series and files that are cases of their own, this source is {dataset.format} and says its channels"
        raise SettingError(rule, remedy="leave it out; --resample-channels works without it")
    made = _Grouping(dataset, wanted)
    names = tuple(channel.name for channel in wanted.channels)
    return replace(dataset, cases=made.cases, refused=made.refused, channels=names if len(names) > 1 else dataset.channels, lone_masks={})


def _as_channels(case: CaseSource, dataset: Dataset, wanted: Wanted) -> CaseSource:
    """A case of several files, one per channel, with what its channels are called."""
    if case.acquired is not None or len(case.images) < 2 or not wanted.joining.resample:
        return case
    names = dataset.channels if len(dataset.channels) == len(case.images) else [f"{n:04}" for n in range(len(case.images))]
    parts = (ChannelFiles(name, (path,)) for name, path in zip(names, case.images, strict=True))
    return replace(case, channels=tuple(parts), joining=wanted.joining)


class _Grouping:
    """Cases made of groups, and what is left out."""

    def __init__(self, dataset: Dataset, wanted: Wanted) -> None:
        self._wanted, self._masks = wanted, dict(dataset.lone_masks)
        self._refused: list[Refusal] = []
        self._taken: set[str] = set()
        made = [case for group in _groups(dataset, wanted.channels) if (case := self._case(group)) is not None]
        found = self._named_apart(made)
        others = [case for case in dataset.cases if case.name not in self._taken]
        self.cases = self._with_references(found, others)
        used = set(dataset.lone_masks) - set(self._masks)
        self.refused = (*(one for one in dataset.refused if one.file not in used), *self._refused)

    def _case(self, group: _Group) -> CaseSource | None:
        """The case of a group; None, with the reason, where it does not have the channels."""
        channels = self._wanted.channels
        found = _members_called(group, channels)
        if not any(found):
            return None  # another series or file: a reference, or left out by its own name
        shown = group.stem or first_named([case.name for case in group.members])
        self._taken |= {case.name for case in group.members} if any(len(one) != 1 for one in found) else set()
        for channel, among in zip(channels, found, strict=True):
            if len(among) != 1:
                got = "none" if not among else f"{len(among)} ({first_named([case.name for case in among])})"
                self._refuse(shown, f"a case has one series or file called {channel.text}", got, _TOO_FEW if not among else _WRITE_MORE)
                return None
        members = [among[0] for among in found]
        if reason := _disagreement(members) or self._other_frame(members):
            self._taken |= {case.name for case in group.members}
            self._refuse(shown, *reason)
            return None
        self._taken |= {case.name for case in members}
        return self._joined(group, members)

    def _joined(self, group: _Group, members: Sequence[CaseSource]) -> CaseSource:
        first, channels = members[0], self._wanted.channels
        name = group.stem or _common_name(members)
        for other in members[1:]:
            if other.labelled:
                self._refuse(
                    other.name, f"a label lies on the first channel, {channels[0].name}", "another channel's", "put it on that one's grid"
                )
        parts = tuple(ChannelFiles(c.name, one.images, one.acquired) for c, one in zip(channels, members, strict=True))
        mask = first.mask or self._lone_mask(group.stem)
        patient = next((one.patient for one in members if one.patient != one.name), name)
        notes = tuple(dict.fromkeys(note for one in members for note in one.notes))
        header = replace(first.header, identifiers=tuple(dict.fromkeys(word for one in members for word in one.header.identifiers)))
        joined = parts if len(parts) > 1 else ()
        images = first.images if len(parts) == 1 else tuple(path for part in parts for path in part.paths)
        more = {"channels": joined, "joining": self._wanted.joining, "header": header, "notes": notes}
        return replace(first, name=name, patient=patient, images=images, mask=mask, **more)  # type: ignore[arg-type]  # fields by name

    def _lone_mask(self, stem: str) -> Path | None:
        """The mask that is called as a case of several files is, without an image of that name."""
        for label, path in self._masks.items():
            called = composed(split_suffix(path.name)[0])
            if stem and called in (stem, *(stem + ending for ending in MASK_ENDINGS)):
                del self._masks[label]
                return path
        return None

    def _other_frame(self, members: Sequence[CaseSource]) -> tuple[str, str, str] | None:
        frames = [one.acquired.frame_of_reference for one in members if one.acquired]
        if self._wanted.joining.registered or len(frames) < 2 or (len(set(frames)) == 1 and frames[0]):
            return None
        names = self._wanted.channels
        odd = next(n for n in range(1, len(frames)) if frames[n] != frames[0] or not frames[0])
        got = f"{names[odd].name} has another one than {names[0].name}" if all(frames) else "one without a frame of reference"
        return "channels share a frame of reference", got, NOT_REGISTERED

    def _named_apart(self, cases: Iterable[CaseSource]) -> list[CaseSource]:
        """Cases with names of their own: of two that would be called alike the second gets a number."""
        named: dict[str, CaseSource] = {}
        for case in cases:
            name = case.name if case.name not in named else f"{case.name}_{len(named)}"
            named[name] = replace(case, name=name)
        return list(named.values())

    def _with_references(self, cases: list[CaseSource], others: list[CaseSource]) -> tuple[CaseSource, ...]:
        """The cases with the other series of their studies or patients; other series without a case are left out by name."""
        beside: dict[str, list[CaseSource]] = defaultdict(list)
        for other in others:
            owners = _nearest(other, [case for case in cases if _belongs(other, case, self._wanted.references)], self._wanted.references)
            for owner in owners:
                beside[owner.name].append(other)
            if not owners:
                keeps = self._wanted.references != "none"
                got = "one that is of no case's study or patient" if keeps else "another series or file"
                self._refuse(other.name, f"with --channels a case has {_listed(self._wanted.channels)}", got, "" if keeps else _KEEP_IT)
        return tuple(replace(case, references=_references(case, beside[case.name])) for case in cases)

    def _refuse(self, file: str, rule: str, value: str, remedy: str) -> None:
        self._refused.append(Refusal(file, rule, value, remedy))


_WRITE_MORE = "say which, for example T2=tse"
_KEEP_IT = "keep it beside the case with --references study, or import it without --channels"


def _listed(channels: Sequence[WantedChannel]) -> str:
    return ", ".join(channel.name for channel in channels)


def _groups(dataset: Dataset, channels: Sequence[WantedChannel]) -> list[_Group]:
    """Cases that belong together, in the order of the source."""
    groups: dict[tuple[str, str], _Group] = {}
    for case in dataset.cases:
        stem = "" if case.acquired else next(filter(None, (_stem(case.name, channel.text) for channel in channels)), "")
        study = case.acquired.study if case.acquired else stem
        if study:
            key = (case.patient if case.acquired else "", folded(study))
            groups.setdefault(key, _Group(stem, [])).members.append(case)
    return list(groups.values())


def _stem(name: str, text: str) -> str:
    """What a name begins with where it ends with a channel's text; "" where it does not."""
    found = re.fullmatch(rf"(.+?)[{re.escape(_SEPARATORS)}]+{re.escape(text)}", name, re.IGNORECASE)
    return found.group(1) if found else ""


def _members_called(group: _Group, channels: Sequence[WantedChannel]) -> list[list[CaseSource]]:
    """The members that may be each channel; one that is the only one for a channel is taken from the others: T2 beside T2 FLAIR."""
    found = [[case for case in group.members if _is(case, channel, group)] for channel in channels]
    for _ in channels:
        alone = {id(among[0]) for among in found if len(among) == 1}
        found = [among if len(among) == 1 else [case for case in among if id(case) not in alone] for among in found]
    return found


def _is(case: CaseSource, channel: WantedChannel, group: _Group) -> bool:
    if case.acquired is None:
        return folded(_stem(case.name, channel.text)) == folded(group.stem)
    return is_called(channel.text, case.acquired.description, case.acquired.modality)


def _disagreement(members: Sequence[CaseSource]) -> tuple[str, str, str] | None:
    patients = {one.patient for one in members if one.patient != one.name}
    if len(patients) > 1:
        return "channels of a case are of one patient", f"{len(patients)} patients", "correct the table or the pattern"
    splits = {one.split for one in members if one.split}
    if len(splits) > 1:
        return "channels of a case are of one split", " and ".join(sorted(splits)), "correct the table"
    return None


def _common_name(members: Sequence[CaseSource]) -> str:
    """What the names of a study's series begin with; else that of the first channel."""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*(one.name for one in members), strict=False))
    shared = "".join(letters[0] for letters in alike)
    if shared != members[0].name:
        shared = shared[: max(shared.rfind(mark) for mark in _SEPARATORS) + 1].rstrip(_SEPARATORS)
    return shared or members[0].name


def _belongs(other: CaseSource, case: CaseSource, kept: str) -> bool:
    if kept == "none":
        return False
    if case.acquired is not None and other.acquired is not None:
        same = case.acquired.study == other.acquired.study
        return other.patient == case.patient and (kept == "patient" or same)
    if kept == "patient" and other.patient == case.patient:
        return True
    return _begins_as(other, case)


def _begins_as(other: CaseSource, case: CaseSource) -> bool:
    return folded(other.name).startswith(tuple(folded(case.name) + mark for mark in _SEPARATORS))


def _nearest(other: CaseSource, owners: Sequence[CaseSource], kept: str) -> list[CaseSource]:
    """Of cases that a file stands beside by its name only those with the longest one: `p1_2_PD` is of `p1_2`, not of `p1`."""
    if other.acquired is not None:
        return list(owners)
    longest = max((len(case.name) for case in owners if _begins_as(other, case)), default=0)
    return [case for case in owners if len(case.name) == longest or (kept == "patient" and case.patient == other.patient)]


def _references(case: CaseSource, others: Sequence[CaseSource]) -> tuple[CaseSource, ...]:
    """References with names of their own, which name nobody."""
    counts: dict[str, int] = defaultdict(int)
    made = []
    for other in others:
        name = _called(case, other)
        counts[name] += 1
        plain = replace(other, name=name if counts[name] == 1 else f"{name} {counts[name]}", mask=None, tag=None, drawing=None, objects=())
        made.append(replace(plain, more=(), proposals=(), marks=()))
    return tuple(made)


def _called(case: CaseSource, other: CaseSource) -> str:
    if other.acquired is not None:
        return sequence_name(other.acquired.description, other.acquired.modality)
    begins = folded(other.name).startswith(folded(case.name))
    return (other.name[len(case.name) :].strip(_SEPARATORS) if begins else "") or other.name
