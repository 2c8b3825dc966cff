"""Whatever the order of files and slices that are missing here and there, acquisitions come apart as they were taken."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.images.dicom_facts import FileFacts
from medloop.images.dicom_grouping import group_files


def fact(folder: str, number: int, depth: float, told: dict[str, str], thickness: float = 2.5) -> FileFacts:
    return FileFacts(
        path=Path(folder) / f"{number:05}.dcm",
        series="1.2",
        instance=f"1.2.{number}",
        description="",
        patient="p",
        frames=1,
        size=(4, 6),
        position=(0.0, 0.0, depth),
        orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        spacing=(1.0, 1.0),
        thickness_mm=thickness,
        header=told,
    )


@settings(max_examples=60, deadline=None)
@given(
    times=st.integers(2, 6),
    slices=st.integers(4, 12),
    offset=st.floats(0, 2.4),
    step=st.sampled_from([0.7, 2.5, 5.0]),
    missing=st.integers(0, 3),
    folders=st.integers(1, 3),
    random=st.randoms(use_true_random=False),
)
def test_acquisitions_come_apart_as_they_were_taken(
    times: int, slices: int, offset: float, step: float, missing: int, folders: int, random: object
) -> None:
    facts = [
        fact(f"f{(time + k) % folders}", time * slices + k, step * k + (offset * step / 2.5 if time else 0.0) * (time % 2), told)
        for time in range(times)
        for k in range(slices)
        for told in [{"TemporalPositionIdentifier": str(time + 1), "AcquisitionTime": f"{time}{k}"}]
    ]
    random.shuffle(facts)  # type: ignore[attr-defined]
    lacking = {f.path for f in facts if f.instance == f"1.2.{slices + 1}"} if missing else set()
    kept = [f for f in facts if f.path not in lacking]
    truth = {frozenset(f.path for f in kept if f.header["TemporalPositionIdentifier"] == str(time + 1)) for time in range(times)}
    assert {frozenset(case.paths) for case in group_files(kept)} == truth


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 40), per=st.integers(1, 8), step=st.floats(0.3, 10), random=st.randoms(use_true_random=False))
def test_one_regular_stack_is_never_split(count: int, per: int, step: float, random: object) -> None:
    facts = [
        fact(f"f{k % 2}", k, step * k, {"AcquisitionNumber": str(k // per), "AcquisitionTime": str(k), "ImageType": "A"}, thickness=step)
        for k in range(count)
    ]
    random.shuffle(facts)  # type: ignore[attr-defined]
    (case,) = group_files(facts)
    assert len(case.paths) == count
    assert case.part == ""
