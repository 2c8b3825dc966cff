"""The archive of a site, with what it needs installed."""

from medloop.core.errors import UnavailableError
from medloop.pacs.archive import Archive
from medloop.pacs.sites import Site


def open_archive(site: Site) -> Archive:
    """An archive over DICOMweb or DIMSE; nothing is contacted before it is used.

    Raises:
        UnavailableError: The client is not installed.
    """
    require_clients()
    if site.url:
        from medloop.pacs.dicomweb import WebArchive

        return WebArchive(site)
    from medloop.pacs.dimse import DimseArchive

    return DimseArchive(site)


def require_clients() -> None:
    """Refuse where the clients of archives are not installed.

    Raises:
        UnavailableError: Naming the extra.
    """
    try:
        import dicomweb_client  # noqa: F401
        import pynetdicom  # noqa: F401
    except ImportError as error:
        raise UnavailableError("Archives need dicomweb-client and pynetdicom", remedy="install medloop[pacs]") from error
