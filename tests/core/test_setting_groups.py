from itertools import chain

from medloop.core.setting_groups import GROUPS
from medloop.core.settings import SETTINGS


def test_every_setting_is_in_one_group():
    assert sorted(chain.from_iterable(GROUPS.values())) == sorted(SETTINGS)
