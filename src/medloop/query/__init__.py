"""Active learning: which cases to annotate next.

`query` does it in one line on arrays of your own; `medloop.strategies` lists what it can do. See docs/querying.md. Names are
imported from their modules at first use.
"""

import importlib

_HOMES = {
    "Pick": "pool",
    "Pool": "pool",
    "Strategy": "strategy",
    "from_classifier": "on_arrays",
    "picks": "on_arrays",
    "query": "on_arrays",
}

__all__ = ["Pick", "Pool", "Strategy", "from_classifier", "picks", "query"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'medloop.query' has no attribute {name!r}")
    return getattr(importlib.import_module(f"medloop.query.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
