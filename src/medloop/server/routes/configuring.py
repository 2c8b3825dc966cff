"""Change a project that exists: its settings, its name, instructions and labels."""

from fastapi import APIRouter

from medloop.loop.foundation.configuring import configure
from medloop.server.web.site import PersonHere, WorkspaceHere
from medloop.server.wire.setting_views import ChangesView, ConfigurationView, SettingsBody, TaskBody

router = APIRouter(prefix="/projects/{project}", tags=["settings"])


@router.get("/settings")
def get_settings(workspace: WorkspaceHere) -> ConfigurationView:
    """Every setting with its meaning, range and value, and the task with its version."""
    return ConfigurationView.of(workspace.project.name, workspace.settings, workspace.task)


@router.patch("/settings")
def patch_settings(workspace: WorkspaceHere, person: PersonHere, body: SettingsBody) -> ChangesView:
    """Change settings, all of them or none; the answer says from when on each one counts."""
    return ChangesView.of(configure(workspace, settings=body.changes, actor=person.id))


@router.patch("/task")
def patch_task(workspace: WorkspaceHere, person: PersonHere, body: TaskBody) -> ChangesView:
    """Change the project's name and instructions, rename, recolour and add labels; this makes the task's next version."""
    return ChangesView.of(configure(workspace, name=body.name, task=body.change(workspace.task), actor=person.id))
