/** The people of a project, or of all projects: invite, give roles, lock out, and say what their time costs. */
import { useEffect, useRef, useState } from "preact/hooks";
import * as calls from "../api/calls";
import { gives, me } from "../api/me";
import { isSameName } from "../api/person";
import type { Expertise, HandedLink, Person, Project, ProjectPerson, Role } from "../api/types";
import { tell, tellError } from "../state/notices";
import { Allowed } from "./controls";
import { clock } from "./format";
import { Field, Send, ShownOnce, useSending } from "./forms";
import { Header } from "./header";
import { EXPERTISE, NUMBER_TERMS, termOf } from "./rates";

const EVERYWHERE = "";

/** Null: the people of the server. */
export function PeopleView({ project }: { project: Project | null }) {
  const [people, setPeople] = useState<(Person | ProjectPerson)[] | null>(null);
  const [link, setLink] = useState<{ name: string; made: HandedLink } | null>(null);
  const id = project?.id ?? null;
  const reads = useRef(0);
  /** Read everybody anew; what a later reading has overtaken is not shown. */
  const read = async (): Promise<void> => {
    const turn = ++reads.current;
    const found = await (id === null ? calls.listPeople() : calls.listProjectPeople(id));
    if (turn === reads.current) setPeople(found);
  };
  useEffect(() => {
    document.title = `People – ${project?.name ?? "medloop"}`;
    void read().catch(tellError);
  }, [id]);
  /** Do something about somebody, then show everybody as they are. */
  const act = (work: Promise<unknown>): void => void work.catch(tellError).then(read).catch(tellError);
  return (
    <div class="view">
      <Header project={project} view="people" />
      <main class="page page-wide" data-testid="people-view">
        <h1>People{project ? ` of ${project.name}` : ""}</h1>
        <Allowed verb="manage" project={id} somewhere>
          <Invite project={id} onMade={(name, made) => setLink({ name, made })} onChange={read} />
        </Allowed>
        {people && <Table people={people} project={id} act={act} onLink={(name, made) => setLink({ name, made })} />}
        {link && (
          <ShownOnce
            title={link.made.use === "invitation" ? "The invitation" : "The link to a new password"}
            secret={location.origin + link.made.path}
            about={`Send it to ${link.name}: it opens the page, where they choose a password. It works once, until ${clock(link.made.expires_at)}, and is not shown again.`}
            onClose={() => setLink(null)}
          />
        )}
      </main>
    </div>
  );
}

type OnLink = (name: string, made: HandedLink) => void;

function Invite({ project, onMade, onChange }: { project: string | null; onMade: OnLink; onChange: () => Promise<void> }) {
  const places = project !== null ? [project] : placesToInvite();
  const [name, setName] = useState("");
  const [place, setPlace] = useState(places[0] ?? EVERYWHERE);
  const where = place === EVERYWHERE ? null : place;
  const roles = gives(where);
  const [role, setRole] = useState<Role | null>(null);
  const given = role !== null && roles.includes(role) ? role : (roles.at(-1) ?? null);
  const sending = useSending();
  const send = async (): Promise<void> => {
    if (given === null) return;
    const known = (await calls.listPeople()).find((one) => isSameName(one.name, name));
    if (known) {
      await calls.giveRole(known.id, given, where);
      tell("info", `${known.name} has an account already and is now ${given}`);
    } else onMade(name, await calls.invite(name, given, where));
    setName("");
    await onChange();
  };
  if (places.length === 0) return null;
  return (
    <form class="panel invite" onSubmit={sending.submit(send)}>
      <Field label="Name, in any script" autocomplete="off" value={name} testid="invite-name" onInput={setName} />
      {project === null && (
        <label class="field">
          For
          <select value={place} data-testid="invite-place" onChange={(event) => setPlace(event.currentTarget.value)}>
            {places.map((one) => (
              <option key={one} value={one}>
                {placeName(one)}
              </option>
            ))}
          </select>
        </label>
      )}
      <label class="field">
        As
        <select value={given ?? ""} data-testid="invite-role" onChange={(event) => setRole(event.currentTarget.value as Role)}>
          {roles.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <Send sending={sending} testid="invite">
        Invite
      </Send>
    </form>
  );
}

function placesToInvite(): string[] {
  const projects = me.value?.projects.filter((one) => one.gives.length > 0).map(({ project_id }) => project_id) ?? [];
  return gives(null).length > 0 ? [EVERYWHERE, ...projects] : projects;
}

const placeName = (id: string): string =>
  id === EVERYWHERE ? "all projects" : (me.value?.projects.find(({ project_id }) => project_id === id)?.name ?? "another project");

interface TableProps {
  people: (Person | ProjectPerson)[];
  project: string | null;
  act: (work: Promise<unknown>) => void;
  onLink: OnLink;
}

function Table({ people, project, act, onLink }: TableProps) {
  return (
    <table class="table" data-testid="people-table">
      <thead>
        <tr>
          <th>Name</th>
          <th>Role</th>
          {project === null ? <th>In projects</th> : NUMBER_TERMS.map(({ name, head }) => <th key={name}>{head}</th>)}
          {project !== null && <th>Expertise</th>}
          <th>State</th>
          <th>Last signed in</th>
          <th>
            <span class="unseen">Account</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {people.map((person) => (
          <tr key={person.id} data-testid={`person-${person.id}`} data-name={person.name}>
            <td class="strong">
              <bdi>{person.name}</bdi>
            </td>
            <td>
              <RoleOf person={person} project={project} act={act} />
            </td>
            {"verbs" in person && project !== null ? <Worth person={person} project={project} act={act} /> : <td>{elsewhere(person)}</td>}
            <td>{stateOf(person)}</td>
            <td>{person.last_seen ? clock(person.last_seen) : "never"}</td>
            <td class="number">
              <Allowed verb="administer">
                <Account person={person} act={act} onLink={onLink} />
              </Allowed>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function stateOf({ disabled, invited }: Person) {
  const state = disabled ? "disabled" : invited ? "invited" : "active";
  return <span class={`state state-${disabled ? "failed" : invited ? "skipped" : "done"}`}>{state}</span>;
}

const elsewhere = ({ roles }: Person): string =>
  Object.entries(roles)
    .filter(([id]) => id !== EVERYWHERE)
    .map(([id, role]) => `${placeName(id)}: ${role}`)
    .join(", ");

/** A role that one may not take away stands as a word. */
function RoleOf({ person, project, act }: { person: Person; project: string | null; act: TableProps["act"] }) {
  const held = person.roles[project ?? EVERYWHERE];
  const roles = gives(project);
  const everywhere = project !== null && person.roles[EVERYWHERE];
  const fixed = isSameName(person.name, me.value?.name ?? "") || roles.length === 0 || (held !== undefined && !roles.includes(held));
  return (
    <>
      {fixed ? (
        (held ?? (everywhere ? "" : "–"))
      ) : (
        <select
          value={held ?? ""}
          aria-label={`Role of ${person.name}`}
          data-testid={`role-${person.id}`}
          onChange={(event) => act(calls.giveRole(person.id, (event.currentTarget.value || null) as Role | null, project))}
        >
          <option value="">none</option>
          {roles.map((role) => (
            <option key={role}>{role}</option>
          ))}
        </select>
      )}
      {everywhere && <span class="hint"> {everywhere} of all projects</span>}
    </>
  );
}

function Worth({ person, project, act }: { person: ProjectPerson; project: string; act: TableProps["act"] }) {
  const { id, name, expertise } = person;
  return (
    <>
      {NUMBER_TERMS.map((term) => (
        <td key={term.name}>
          <input
            key={person[term.name]}
            type="text"
            inputMode="decimal"
            size={6}
            defaultValue={String(person[term.name] ?? "")}
            placeholder={term.name === "cost_per_minute" ? "not set" : "no limit"}
            aria-label={`${term.head} of ${name}`}
            data-testid={`${term.testid}-${id}`}
            onChange={(event) => act(calls.describePerson(project, id, { [term.name]: termOf(term, event.currentTarget.value) }))}
          />
        </td>
      ))}
      <td>
        <select
          value={expertise ?? ""}
          aria-label={`Expertise of ${name}`}
          data-testid={`expertise-${id}`}
          onChange={(event) => act(calls.describePerson(project, id, { expertise: event.currentTarget.value as Expertise }))}
        >
          {expertise === null && <option value="">not set</option>}
          {EXPERTISE.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </td>
    </>
  );
}

function Account({ person, act, onLink }: { person: Person; act: TableProps["act"]; onLink: OnLink }) {
  const { id, name, disabled, invited } = person;
  const link = (): void => act(calls.renewLink(id).then((made) => onLink(name, made)));
  return (
    <span class="row-end row-flat">
      <button class="small" aria-label={`New link for ${name}`} data-testid={`link-${id}`} onClick={link}>
        {invited ? "New invitation" : "Reset password"}
      </button>
      {!isSameName(name, me.value?.name ?? "") && (
        <button
          class="small"
          aria-label={`${disabled ? "Enable" : "Disable"} ${name}`}
          data-testid={`disable-${id}`}
          onClick={() => act(calls.setDisabled(id, !disabled))}
        >
          {disabled ? "Enable" : "Disable"}
        </button>
      )}
    </span>
  );
}
