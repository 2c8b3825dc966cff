"""Who may give a project's trainings a start, and whose weights they may take for it."""

from medloop.core.roles import Role
from medloop.loop.people.accounts import give_role

from .conftest import Town


def post(town: Town, role: Role, address: str, *, other: Role | None = None) -> tuple[int, str]:
    """The status and the words of a request by somebody with a role in the first project, and maybe one in the second."""
    account = town.add(f"{role} and {other} there", role, town.first.project.id)
    if other is not None:
        give_role(town.store, account.id, other, project_id=town.second.project.id)
    body = {"from_project": town.second.project.id} if address.endswith("transfer") else {"steps": 1}
    said = town.browser(account).post(f"/projects/{town.first.project.id}/{address}", body)
    return said.status_code, said.text


def test_whoever_may_not_train_starts_no_pretraining_and_the_setting_stays(town: Town) -> None:
    for role in ("viewer", "annotator", "reviewer"):
        assert post(town, role, "pretraining")[0] == 403
    assert post(town, "reviewer", "pretraining/transfer", other="lead")[0] == 403
    assert town.first.reload().settings.pretraining == "none"


def test_weights_of_a_project_are_taken_with_the_right_to_export_there(town: Town) -> None:
    status, said = post(town, "lead", "pretraining/transfer", other="annotator")
    assert (status, "Weights leave a project with the right export" in said) == (403, True)
    status, said = post(town, "lead", "pretraining/transfer")
    assert (status, "No project" in said) == (404, True)
    assert town.first.reload().settings.pretraining == "none"
    assert not town.first.store.jobs.list(limit=10)
