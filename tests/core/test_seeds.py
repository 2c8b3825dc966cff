from hypothesis import given
from hypothesis import strategies as st

from medloop.core.seeds import derive_seed, generator


@given(st.integers(0, 2**63 - 1), st.lists(st.one_of(st.integers(), st.text(max_size=8)), max_size=3))
def test_a_seed_is_a_63_bit_number_that_never_changes(seed: int, names: list[str | int]) -> None:
    derived = derive_seed(seed, *names)
    assert 0 <= derived < 2**63
    assert derived == derive_seed(seed, *names)


def test_the_seed_of_a_purpose_is_fixed_for_all_time() -> None:
    assert derive_seed(0, "round", 3, "query") == 6403433265484101097


def test_streams_of_different_names_differ() -> None:
    draws = {float(generator(1, *names).random()) for names in [("a",), ("b",), ("a", 1), ("a", 2), ("a1",), ()]}
    assert len(draws) == 6


def test_names_are_kept_apart() -> None:
    assert derive_seed(0, "ab", "c") != derive_seed(0, "a", "bc")
