"""Names of the ways to explain an answer, for those who must not import torch."""

from importlib.util import find_spec

from medloop.core.errors import UnavailableError

METHODS: tuple[str, ...] = ("grad-cam", "integrated-gradients", "occlusion")
"""See `medloop.explain.saliency` for what each one shows."""


def require_captum() -> None:
    """Raise unless Captum can be imported; torch is not touched.

    Raises:
        UnavailableError: With how to install it.
    """
    if find_spec("captum") is None:
        raise UnavailableError("Saliency needs Captum, which is not installed", remedy="pip install 'medloop[explain]'")
