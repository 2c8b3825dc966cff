"""What the page remembers for an account wherever it signs in: keys of its own, and whether it has seen the introduction."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from medloop.core.accounts import Account
from medloop.store.store import Store


@dataclass(frozen=True)
class Preferences:
    """Of one account.

    Attributes:
        keys: Action of the page → the keys that do it in place of the usual ones.
        introduced: Whether the introduction to the annotation view was seen or skipped.
    """

    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    introduced: bool = False


def preferences_of(account: Account) -> Preferences:
    """What is kept; the usual where nothing is."""
    kept = json.loads(account.preferences or "{}")
    return Preferences({action: tuple(keys) for action, keys in kept.get("keys", {}).items()}, kept.get("introduced", False))


def keep_preferences(store: Store, account: Account, preferences: Preferences) -> None:
    """Keep them in place of those before."""
    with store.write(account.name) as tx:
        tx.change(Account, account.id, verb="prefer", fields={"preferences": json.dumps(asdict(preferences), sort_keys=True)})
