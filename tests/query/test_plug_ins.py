"""Strategies of other packages, installed as packages are: found by their metadata, and blamed by name for what goes wrong in them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import InputError, UnavailableError
from medloop.query import strategies as registry
from medloop.query.strategies import GROUP, Pick, strategies, strategy
from medloop.testing.check_strategy import example_pool

CODE = """
from medloop.core.errors import ShapeError
from medloop.query.strategies import Pick, Strategy

def made(name, select):
    return Strategy(name=name, title=name, paper="none", needs=frozenset(), cost="none", advice="never", select=select)

def refuse(pool, count, rng):
    raise ShapeError("three cases at least, got one")

def fail(pool, count, rng):
    raise ValueError("operands could not\\nbe broadcast")

GOOD = made("good", lambda pool, count, rng: [Pick(n, 1.0, "near") for n in range(min(count, len(pool.case_ids)))])
REFUSES = made("refuses", refuse)
FAILS = made("fails", fail)
NOTHING = made("nothing", lambda pool, count, rng: None)
TWICE = made("twice", lambda pool, count, rng: [Pick(0, 1.0, "near")] * count)
OUTSIDE = made("outside", lambda pool, count, rng: [Pick(len(pool.case_ids), 1.0, "far")])
MANY = made("many", lambda pool, count, rng: [Pick(n, 1.0, "near") for n in range(count + 1)])
ENDLESS = made("endless", lambda pool, count, rng: [Pick(0, float("inf"), "near")])
"""
BROKEN = ("fails", "nothing", "twice", "outside", "many", "endless")


@pytest.fixture
def plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package of strategies on the path, as an installer leaves it."""
    facts = tmp_path / "other_strategies-1.0.dist-info"
    facts.mkdir()
    (tmp_path / "other_strategies.py").write_text(CODE)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: other-strategies\nVersion: 1.0\n")
    names = ("good", "refuses", *BROKEN)
    (facts / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *(f"{n} = other_strategies:{n.upper()}" for n in names)]) + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._plug_ins.cache_clear()
    yield
    registry._plug_ins.cache_clear()
    sys.modules.pop("other_strategies", None)


@pytest.mark.usefixtures("plug_ins")
def test_a_sound_plug_in_chooses_as_it_says() -> None:
    picks = strategy("good").select(example_pool(), 2, np.random.default_rng(1))
    assert picks == [Pick(0, 1.0, "near"), Pick(1, 1.0, "near")]
    assert {"good", *BROKEN} <= {one.name for one in strategies()}


@pytest.mark.usefixtures("plug_ins")
@pytest.mark.parametrize("name", [*BROKEN, "fusion:fails+random"])
def test_a_plug_in_that_fails_or_breaks_the_contract_is_named_in_one_line(name: str) -> None:
    with pytest.raises(UnavailableError) as error:
        strategy(name).select(example_pool(), 3, np.random.default_rng(1))
    assert "other_strategies:" in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.remedy


@pytest.mark.usefixtures("plug_ins")
def test_what_a_plug_in_refuses_on_purpose_is_said_in_its_own_words() -> None:
    with pytest.raises(InputError, match="three cases at least, got one"):
        strategy("refuses").select(example_pool(), 3, np.random.default_rng(1))
