/** What a project asks and how it works: name, instructions, labels, and every setting the server declares. */
import { useEffect, useState } from "preact/hooks";
import { changeTask, readSettings } from "../api/calls";
import type { Configuration, LabelBody, Project } from "../api/types";
import { changedTask, formOf, readPicture, type TaskForm, withOverlap } from "../state/configuring";
import { tellError } from "../state/notices";
import { Allowed, Fields, Save } from "./controls";
import { Header } from "./header";
import { Instructions } from "./instructions";
import { Rates } from "./rates";
import { save, Values } from "./settingvalues";
import { ReadOnly } from "./warnings";

export function SettingsView({ project }: { project: Project }) {
  const [found, setFound] = useState<Configuration | null>(null);
  const [forms, setForms] = useState(0);
  const read = (): void => void readSettings(project.id).then(setFound).catch(tellError);
  const begin = (): void =>
    void readSettings(project.id)
      .then((now) => {
        setFound(now);
        setForms((count) => count + 1);
      })
      .catch(tellError);
  useEffect(() => {
    document.title = `Settings – ${project.name}`;
    read();
  }, [project.id]);
  return (
    <div class="view">
      <Header project={found ? { ...project, name: found.name } : project} view="settings" />
      <main class="page" data-testid="settings">
        <h1>Settings</h1>
        <ReadOnly project={project} />
        <Fields verb="decide" project={project.id}>
          {found && <Task key={forms} project={project.id} found={found} onSaved={begin} />}
        </Fields>
        <Allowed verb="manage" project={project.id}>
          <Rates project={project.id} />
        </Allowed>
        <Fields verb="decide" project={project.id}>
          {found && <Values key={project.id} project={project.id} found={found} onSaved={read} />}
        </Fields>
      </main>
    </div>
  );
}

interface PartProps {
  project: string;
  found: Configuration;
  onSaved: () => void;
}

function Task({ project, found: newest, onSaved }: PartProps) {
  const [found] = useState(newest); // what is typed is a change of this one, whoever changes the task meanwhile
  const { task } = found;
  const [form, setForm] = useState<TaskForm>(formOf(found));
  const change = changedTask(found, form);
  const outdated = newest.task.version !== task.version || newest.name !== found.name;
  const follows = outdated && change === null;
  useEffect(() => (follows ? onSaved() : undefined), [follows]);
  const label = (at: number, changed: Partial<LabelBody>): void =>
    setForm({ ...form, labels: form.labels.map((one, n) => (n === at ? { ...one, ...changed } : one)) });
  const add = (input: HTMLInputElement): void => {
    const file = input.files?.[0];
    input.value = "";
    if (!file) return;
    readPicture(file)
      .then((url) =>
        setForm((now) => {
          const number = task.pictures + now.pictures.length + 1;
          const caption = file.name.replace(/\.\w+$/, "").replace(/[[\]]/g, "");
          return { ...now, pictures: [...now.pictures, url], instructions: `${now.instructions.trimEnd()}\n\n![${caption}](picture-${number})`.trimStart() };
        }),
      )
      .catch(tellError);
  };
  return (
    <form class="panel" onSubmit={(event) => save(event, change && (() => changeTask(project, change)), onSaved)}>
      <h2>Task</h2>
      {outdated && change && (
        <p class="note" role="status" data-testid="task-outdated">
          The task was changed meanwhile: version {newest.task.version} is in force, what you typed changes version {task.version} and cannot be saved. Copy
          what you need, then{" "}
          <button type="button" class="small" onClick={onSaved}>
            begin with version {newest.task.version}
          </button>
        </p>
      )}
      <label class="field">
        Name
        <input
          type="text"
          value={form.name}
          maxLength={200}
          data-testid="project-name"
          onInput={(event) => setForm({ ...form, name: event.currentTarget.value })}
        />
      </label>
      <label class="field">
        Instructions
        <textarea
          rows={4}
          value={form.instructions}
          data-testid="instructions"
          onInput={(event) => setForm({ ...form, instructions: event.currentTarget.value })}
        />
        <span class="hint">
          May have # headings, - lists, **strong** and *emphasised* words, and pictures: ![caption](picture-1). Annotators see them beside every case.
        </span>
      </label>
      <label class="field">
        Add a picture (PNG or JPEG)
        <input type="file" accept="image/png,image/jpeg" data-testid="add-picture" onChange={(event) => add(event.currentTarget)} />
      </label>
      {form.instructions && (
        <details open={form.pictures.length > 0} data-testid="instructions-preview">
          <summary>As annotators see it</summary>
          <Instructions project={project} text={form.instructions} fresh={new Map(form.pictures.map((url, n) => [task.pictures + n + 1, url]))} />
        </details>
      )}
      <fieldset class="label-form">
        <legend>Labels</legend>
        {form.labels.map((one, n) => (
          <div class="row" key={one.value ?? `new ${n}`}>
            <input
              type="color"
              value={one.colour ?? "#808080"}
              aria-label={`Colour of ${one.name || "the new label"}`}
              data-testid={`colour-${n}`}
              onInput={(event) => label(n, { colour: event.currentTarget.value })}
            />
            <input
              type="text"
              class="grow"
              value={one.name}
              aria-label={`Name of label ${n + 1}`}
              data-testid={`label-name-${n}`}
              onInput={(event) => label(n, { name: event.currentTarget.value })}
            />
            {task.kind === "segmentation" && <Shares form={form} at={n} onForm={setForm} />}
          </div>
        ))}
        <button type="button" class="small" data-testid="add-label" onClick={() => setForm({ ...form, labels: [...form.labels, { value: null, name: "" }] })}>
          Add a label
        </button>
      </fieldset>
      <p class="hint">
        Version {task.version}. A change makes the next version; annotations stay valid for the labels they knew. A label is renamed or added, never removed.
      </p>
      <Save changed={change !== null} testid="save-task" />
    </form>
  );
}

/** What a label shares voxels with: the one that it lies inside of, and those that it overlaps. */
function Shares({ form, at, onForm }: { form: TaskForm; at: number; onForm: (form: TaskForm) => void }) {
  const others = form.labels.map(({ name }, n) => ({ name: name.trim(), n })).filter(({ name, n }) => n !== at && name !== "");
  const own = form.labels[at]!.name || "the new label";
  const [inside, overlaps] = [form.inside[at] ?? null, form.overlaps[at] ?? []];
  const lies = (value: string): void => {
    const chosen = value === "" ? null : Number(value);
    onForm({ ...form, inside: form.labels.map((_, n) => (n === at ? chosen : (form.inside[n] ?? null))) });
  };
  if (others.length === 0) return null;
  return (
    <>
      <select
        value={inside === null ? "" : String(inside)}
        aria-label={`${own} lies inside`}
        data-testid={`inside-${at}`}
        onChange={(event) => lies(event.currentTarget.value)}
      >
        <option value="">inside none</option>
        {others.map(({ name, n }) => (
          <option key={n} value={String(n)}>
            inside {name}
          </option>
        ))}
      </select>
      <details data-testid={`overlaps-${at}`}>
        <summary>{overlaps.length === 0 ? "overlaps none" : `overlaps ${overlaps.map((n) => form.labels[n]!.name).join(", ")}`}</summary>
        {others.map(({ name, n }) => (
          <label class="field field-check" key={n}>
            <span>{name}</span>
            <input
              type="checkbox"
              checked={overlaps.includes(n)}
              aria-label={`${own} overlaps ${name}`}
              data-testid={`overlap-${at}-${n}`}
              onChange={() => onForm(withOverlap(form, at, n))}
            />
          </label>
        ))}
      </details>
    </>
  );
}
