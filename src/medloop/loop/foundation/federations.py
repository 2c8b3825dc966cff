"""What a model says of the federation that trained it."""

from medloop.core.names import counted, first_named
from medloop.core.records import Json, Model
from medloop.loop.foundation.model_choices import FEDERATION


def federation_words(model: Model) -> str:
    """Who trained a model together, how, and what it cost the patients here; empty for one that was trained here alone."""
    told = model.metrics.get(FEDERATION)
    if not told:
        return ""
    how = f"{told['strategy']}{', normalisation of its own' if told['local_norm'] else ''}"
    cost = f"; private: {privacy_words(told['privacy'])}" if told.get("privacy") else ""
    names = first_named(list(told["sites"]))
    return f"federated round {told['round']} of {told['rounds']}, {counted(len(told['sites']), 'site')} ({names}), {how}{cost}"


def privacy_words(cost: Json) -> str:
    """What differential privacy a site's updates have cost, in words."""
    how = f"noise {cost['noise']:.3g} times the gradients' bound {cost['clip']:g}, {cost['steps']} steps"
    total = cost.get("account") or {"federations": 1, "without_noise": 0}
    added = f"; with the federations before, ε {total['epsilon']:.2f} at δ {total['delta']:g}" if total["federations"] > 1 else ""
    free = f"; {counted(total['without_noise'], 'federation')} without noise besides" if total["without_noise"] else ""
    return f"ε {cost['epsilon']:.2f} at δ {cost['delta']:g} for each patient ({how}){added}{free}"
