"""CVAT's XML 1.1 of a project: a mask for each label of a picture, or a tag.

Source: docs.cvat.ai, "XML annotation format", version 1.1.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from medloop.datasets.export import ALONE, Regions
from medloop.datasets.export_tally import ExportCase, Exported, ExportTally
from medloop.datasets.shapes.pictures_out import Colours, PictureOut, export_pictures
from medloop.datasets.staging import NOTHING
from medloop.images.shapes.runs import box_runs

DOCUMENT = "annotations.xml"


def export_cvat(
    cases: Iterable[ExportCase],
    folder: Path,
    labels: Sequence[str],
    *,
    regular_grid: bool = False,  # noqa: ARG001  # a picture's grid is regular
    beside: Mapping[str, str] = NOTHING,
    regions: Regions = ALONE,
    colours: Colours = NOTHING,
) -> Exported:
    """`images/CASE.png` and annotations.xml; see `export_pictures` for arguments and errors.

    `colours` are those of the labels in `meta`.
    """
    return export_pictures(cases, folder, labels, beside=beside, regions=regions, write=partial(_write, colours=colours))


def _write(out: Path, labels: list[str], pictures: Iterator[PictureOut], tally: ExportTally, *, colours: Colours) -> None:  # noqa: ARG001
    with (out / DOCUMENT).open("w", encoding="utf-8") as document:
        document.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
        document.write(f"  <meta>\n    <task>\n      <mode>annotation</mode>\n      <labels>\n{_labels(labels, colours)}")
        document.write("      </labels>\n    </task>\n  </meta>\n")
        for picture in pictures:
            document.write(_image(picture))
        document.write("</annotations>\n")


def _labels(labels: Sequence[str], colours: Colours) -> str:
    return "".join(
        f"        <label><name>{escape(name)}</name>{f'<color>{escape(colours[name])}</color>' if name in colours else ''}"
        "<attributes></attributes></label>\n"
        for name in labels
    )


def _image(picture: PictureOut) -> str:
    wide, high = picture.size
    lines = [f'  <image id="{picture.number - 1}" name={quoteattr(picture.file)} width="{wide}" height="{high}">']
    if picture.case.tag is not None:
        lines.append(f'    <tag label={quoteattr(picture.case.tag)} source="manual"></tag>')
    by_size = sorted(picture.planes.items(), key=lambda one: -int(one[1].sum()))  # what lies inside another lies above it
    for layer, (name, plane) in enumerate(by_size):
        lengths, (left, top, width, height) = box_runs(plane)
        runs = ", ".join(map(str, lengths))
        lines.append(
            f'    <mask label={quoteattr(name)} source="manual" occluded="0" rle="{runs}" left="{left}" top="{top}" '
            f'width="{width}" height="{height}" z_order="{layer}"></mask>'
        )
    return "\n".join([*lines, "  </image>\n"])
