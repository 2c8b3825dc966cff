"""Which subgroups of patients a case belongs to: what its table says of scanner, site or sex, its stratum, and its modality."""

from medloop.core.records import Case

STRATUM, MODALITY = "stratum", "modality"


def subgroups_of(case: Case) -> dict[str, str]:
    """What is known of a case, by the name of the attribute."""
    named = {str(name): str(value) for name, value in case.source.groups.items()}
    stratum = "" if case.stratum in named.values() else case.stratum  # the same column, read as both
    return {name: value for name, value in {STRATUM: stratum, MODALITY: case.display.modality, **named}.items() if value}
