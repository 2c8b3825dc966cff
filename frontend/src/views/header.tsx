/** The line at the top of every view: where one is, who one is, light or dark, help. */
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { hasAccounts, me } from "../api/me";
import { annotatorName, rename } from "../api/person";
import type { Project } from "../api/types";
import { helpShown } from "../state/display";
import { linkTo, route } from "../state/router";
import { nextTheme } from "../state/theme";
import { isComposing } from "../tools/keynames";
import { withKey } from "../tools/keytables";
import { Allowed } from "./controls";
import { Icon } from "./icons";
import { readsSeveral } from "./readingstate";

interface HeaderProps {
  project?: Project | null;
  view?: "worklist" | "progress" | "annotate" | "review" | "team" | "settings" | "people";
  children?: ComponentChildren;
}

export function Header({ project, view, children }: HeaderProps) {
  const several = hasAccounts() || (project && readsSeveral(project)); // one person alone reviews nobody
  return (
    <header class="header">
      <a class="brand" href={linkTo.projects()} title="All projects">
        <img src="/icon.svg" alt="" width="20" height="20" />
        medloop
      </a>
      {project && (
        <nav class="tabs" aria-label="Project">
          <span class="project-name" title={project.name}>
            {project.name}
          </span>
          <Tab href={linkTo.worklist(project.id)} here={view === "worklist"}>
            Cases
          </Tab>
          <Allowed verb="annotate" project={project.id}>
            <Tab href={linkTo.next(project.id)} here={view === "annotate"}>
              Annotate
            </Tab>
          </Allowed>
          {several && (
            <Allowed verb="review" project={project.id}>
              <Tab href={linkTo.review(project.id)} here={view === "review"}>
                Review
              </Tab>
            </Allowed>
          )}
          <Tab href={linkTo.progress(project.id)} here={view === "progress"}>
            Progress
          </Tab>
          {several && (
            <Allowed verb="manage" project={project.id}>
              <Tab href={linkTo.team(project.id)} here={view === "team"}>
                Team
              </Tab>
            </Allowed>
          )}
          <Allowed verb="decide" project={project.id}>
            <Tab href={linkTo.settings(project.id)} here={view === "settings"}>
              Settings
            </Tab>
          </Allowed>
          {hasAccounts() && (
            <Allowed verb="manage" project={project.id}>
              <Tab href={linkTo.people(project.id)} here={view === "people"}>
                People
              </Tab>
            </Allowed>
          )}
        </nav>
      )}
      {!project && hasAccounts() && (
        <nav class="tabs" aria-label="Server">
          <Tab href={linkTo.projects()} here={route.value.view === "projects"}>
            Projects
          </Tab>
          <Allowed verb="manage" somewhere>
            <Tab href={linkTo.everybody()} here={view === "people"}>
              People
            </Tab>
          </Allowed>
        </nav>
      )}
      <div class="header-middle">{children}</div>
      {me.value && <Person />}
      <button class="quiet" title="Light or dark" aria-label="Switch between light and dark" data-testid="theme" onClick={nextTheme}>
        <Icon name="sun" />
      </button>
      <button
        class="quiet"
        title={withKey("Keyboard overview", "help")}
        aria-label="Keyboard overview"
        data-testid="help"
        onClick={() => (helpShown.value = true)}
      >
        <Icon name="help" />
      </button>
    </header>
  );
}

function Tab({ href, here, children }: { href: string; here: boolean; children: ComponentChildren }) {
  return (
    <a class="tab" href={href} aria-current={here ? "page" : undefined}>
      {children}
    </a>
  );
}

function Person() {
  if (!hasAccounts()) return <Name />;
  return (
    <a class="button quiet person" href={linkTo.account()} title="Your account" data-testid="person">
      <Icon name="person" />
      <bdi>{annotatorName.value}</bdi>
    </a>
  );
}

function Name() {
  const [editing, setEditing] = useState(false);
  const dropped = useRef(false);
  const begin = (): void => {
    dropped.current = false;
    setEditing(true);
  };
  if (!editing) {
    return (
      <button class="quiet person" title="Who annotates" data-testid="person" onClick={begin}>
        <Icon name="person" />
        {annotatorName.value}
      </button>
    );
  }
  const finish = (event: { currentTarget: HTMLInputElement }): void => {
    if (!dropped.current) rename(event.currentTarget.value);
    setEditing(false);
  };
  return (
    <input
      class="person-input"
      aria-label="Your name"
      defaultValue={annotatorName.value}
      autofocus
      onFocus={(event) => event.currentTarget.select()}
      onBlur={finish}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (isComposing(event)) return;
        dropped.current = event.key === "Escape";
        if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
      }}
    />
  );
}
