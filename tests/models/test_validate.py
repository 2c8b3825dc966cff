import dataclasses

import pytest

from medloop.models.foundation.networks import build_network
from medloop.models.training.batches import prepare_cases
from medloop.models.training.validate import affordable_cases, validate


def test_validation_stays_a_small_part_of_the_work(recipe_3d, volumes, tmp_path):
    cases = prepare_cases(recipe_3d, volumes, tmp_path)
    assert len(affordable_cases(recipe_3d, cases, 6)) == 2
    assert len(affordable_cases(recipe_3d, cases, 6000)) == 3
    assert affordable_cases(dataclasses.replace(recipe_3d, validations=0), cases, 6000) == []
    assert affordable_cases(recipe_3d, [], 6000) == []


@pytest.mark.parametrize("name", ["recipe_3d", "recipe_tags"])
def test_an_untrained_network_scores_between_none_and_all(name, request, volumes, tagged, tmp_path):
    recipe = request.getfixturevalue(name)
    cases = prepare_cases(recipe, tagged if recipe.kind == "classification" else volumes, tmp_path)
    assert 0 <= validate(build_network(recipe, seed=0), recipe, cases) <= 1
