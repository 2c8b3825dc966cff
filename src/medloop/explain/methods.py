"""Names of the ways to explain an answer, for those who must not import torch."""

METHODS: tuple[str, ...] = ("grad-cam", "integrated-gradients", "occlusion")
"""See `medloop.explain.saliency` for what each one shows."""
