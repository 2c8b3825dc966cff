"""medloop: people and a model teach each other on medical images."""

__version__ = "0.1.0"
