"""What is sent and shown about archives: never a host, a port or a credential."""

from typing import Annotated, Literal

from pydantic import Field

from medloop.server.wire.schemas import Body, IdText
from medloop.server.wire.views import View

Sought = Annotated[str, Field(max_length=64, pattern=r"^[^\\\x00-\x1f\x7f]*$")]
Uid = Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]
ServerName = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ArchivesView(View):
    """Names of the archives that may be contacted, and why there are none, in words."""

    servers: list[str]
    trouble: str


class FindBody(Body):
    """What to look for; everything that is given must fit, and something must be. `server` may be left out where one is listed."""

    server: ServerName = ""
    patient: Sought = ""
    name: Sought = ""
    date: Sought = ""
    modality: Sought = ""
    accession: Sought = ""
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class FoundStudyView(View):
    """A study of an archive, for who looks; nothing of it is kept."""

    study: str
    patient: str
    date: str
    modalities: str
    description: str
    series: int | None
    instances: int | None


class FoundView(View):
    """Studies that fit, and whether there are more."""

    server: str
    studies: list[FoundStudyView]
    more: bool


class PullBody(Body):
    """Which studies to fetch; of `modality` alone, or all images; with `annotations` SEG and RTSTRUCT, too."""

    server: ServerName = ""
    studies: Annotated[tuple[Uid, ...], Field(min_length=1, max_length=100)]
    modality: Sought = ""
    annotations: Annotated[bool, Field(strict=True)] = False


class PushBody(Body):
    """Which cases to push, as what; none are all that have an annotation or a measurement."""

    server: ServerName = ""
    format: Literal["dicom-seg", "dicom-labelmap", "rtstruct", "dicom-sr"] = "dicom-seg"
    case_ids: Annotated[tuple[IdText, ...], Field(max_length=1000)] = ()
    again: Annotated[bool, Field(strict=True)] = False
