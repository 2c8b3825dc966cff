"""The page about accounts shows the table of roles as the code has it, and counts the probes that run."""

import itertools
import re
import subprocess
import sys

from medloop.core.roles import RIGHTS, ROLES, VERBS, rights_table
from medloop.server.web.permissions import PERMISSIONS

from ..conftest import REPOSITORY
from .test_snippets import TEXTS

PAGE = TEXTS["docs/accounts.md"]


def test_the_table_of_roles_is_that_of_the_code() -> None:
    assert rights_table() in PAGE


def test_the_table_has_a_line_for_each_verb_and_gives_less_from_role_to_role() -> None:
    lines = rights_table().splitlines()[2:]
    assert [re.findall(r"`(\w+)`", line)[0] for line in lines] == list(VERBS)
    rights = [len(RIGHTS[role]) for role in ROLES]
    assert rights == sorted(rights, reverse=True)
    assert all(RIGHTS[lower] < RIGHTS[higher] for higher, lower in itertools.pairwise(ROLES))


def test_every_need_of_a_route_is_a_verb_of_the_table_or_none() -> None:
    assert set(PERMISSIONS.values()) - {"open", "self"} <= set(VERBS)


def test_the_page_counts_the_probes() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/server/accounts"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True).stdout
    count = int(re.search(r"(\d+) tests? collected", found)[1])
    said = count // 500 * 500
    assert f"; more than {said} of them run" in PAGE, f"docs/accounts.md must say: more than {said} of them run"
