/** Decide between readings: whose counts for a label, whose within a box; the result is on the image before it is accepted. */

import { useState } from "preact/hooks";
import * as calls from "../api/calls";
import type { Region } from "../api/types";
import { sharedName } from "../edits/nested";
import type { Difference, Ruling } from "../operations/fusing";
import type { Comparison } from "../state/comparing";
import { tool } from "../state/display";
import { withKey } from "../tools/keytables";
import { Allowed, Swatch } from "./controls";
import { className } from "./readers";

const ALL = "";

export function Adjudication({ found }: { found: Comparison }) {
  if (found.readers.length === 0 || found.standing === null) return null;
  return (
    <Allowed verb="review" project={found.project.id}>
      <section class="block" data-testid="adjudication">
        <h3>Adjudicate</h3>
        {found.project.kind === "segmentation" ? <ByLabel found={found} /> : <ByClass found={found} />}
        {found.project.kind === "segmentation" && <ByRegion found={found} />}
        <Accept found={found} />
      </section>
    </Allowed>
  );
}

interface WhoProps {
  found: Comparison;
  name: string;
  label: number | null;
  value: string;
  none: string;
  testid: string;
  onChange: (id: string) => void;
}

/** One of the readers who know the label. */
function Who({ found, name, label, value, none, testid, onChange }: WhoProps) {
  return (
    <select value={value} aria-label={name} data-testid={testid} onChange={(event) => onChange(event.currentTarget.value)}>
      <option value="">{none}</option>
      {found.knowing(label).map(({ annotation_id: id, annotator, tag }) => (
        <option key={id} value={id} disabled={found.project.kind === "segmentation" && !found.masks.value.has(id)}>
          {annotator}
          {found.project.kind === "classification" ? `: ${className(found, tag)}` : ""}
        </option>
      ))}
    </select>
  );
}

function ByLabel({ found }: { found: Comparison }) {
  return (
    <>
      {found.project.labels.map(({ value, name, colour }) => {
        const unknown = found.readers.filter(({ labels }) => !labels.includes(value)).map(({ annotator }) => annotator);
        return (
          <div key={value} class="ruling">
            <Swatch colour={colour} />
            <span class="grow">{name}</span>
            <Who
              found={found}
              name={`Whose ${name} counts`}
              label={value}
              value={found.chosenFor(value) ?? ""}
              none="as it stands"
              testid={`rule-label-${value}`}
              onChange={(id) => found.chooseFor(value, id || null)}
            />
            {unknown.length > 0 && <p class="hint unknown">Added after {unknown.join(", ")} had read the case.</p>}
          </div>
        );
      })}
    </>
  );
}

function ByClass({ found }: { found: Comparison }) {
  return (
    <div class="ruling">
      <span class="grow">Class</span>
      <Who
        found={found}
        name="Whose class counts"
        label={null}
        value={found.chosenFor(null) ?? ""}
        none="as it stands"
        testid="rule-class"
        onChange={(id) => found.chooseFor(null, id || null)}
      />
    </div>
  );
}

function ByRegion({ found }: { found: Comparison }) {
  const box = found.session.advice.region.value;
  const boxes = found.rulings.value.filter((one): one is Ruling & { box: Region } => one.box !== null);
  return (
    <>
      {boxes.map((one, n) => (
        <div key={n} class="ruling" data-testid={`region-${n}`}>
          <Swatch colour={found.colourOf(one.annotation_id)} />
          <span class="grow">
            Region {n + 1}: <bdi>{found.nameOf(one.annotation_id)}</bdi>
            {one.label !== null && `, ${labelName(found, one.label)}`}
          </span>
          <button class="small" aria-label={`Remove region ${n + 1}`} onClick={() => found.withdraw(one)}>
            Remove
          </button>
        </div>
      ))}
      {box ? (
        <Within key={JSON.stringify([box.start, box.stop].map((corner) => corner.filter((_, axis) => axis !== thinAxis(box))))} found={found} box={box} />
      ) : (
        <button
          class="small"
          aria-pressed={tool.value === "region"}
          title={withKey("Draw a box", "compare-region")}
          data-testid="draw-region"
          onClick={() => (tool.value = "region")}
        >
          {tool.value === "region" ? "Draw a box on the image" : "Decide within a box"}
        </button>
      )}
    </>
  );
}

/** The axis along which a drawn box is one slice thick; the third one where several are. */
function thinAxis({ start, stop }: Region): number {
  const thin = [0, 1, 2].filter((axis) => stop[axis]! - start[axis]! === 1);
  return thin.length === 1 ? thin[0]! : 2;
}

/** Whose annotation counts in the box that was drawn, and through which slices. */
function Within({ found, box }: { found: Comparison; box: Region }) {
  const { session } = found;
  const [axis] = useState(() => thinAxis(box));
  const [label, setLabel] = useState(ALL);
  const only = label === ALL ? null : Number(label);
  const depth = session.header.shape[axis]!;
  const through = (first: number, last: number): void => {
    const start: Region["start"] = [...box.start];
    const stop: Region["stop"] = [...box.stop];
    start[axis] = Math.max(0, Math.min(first, last));
    stop[axis] = Math.min(depth, Math.max(first, last) + 1);
    session.advice.region.value = { start, stop };
  };
  const edge = (at: number, move: (slice: number) => void, name: string, testid: string) => (
    <input
      type="number"
      min={1}
      max={depth}
      value={at + 1}
      aria-label={name}
      data-testid={testid}
      onChange={(event) => move(Math.min(depth, Math.max(1, Number(event.currentTarget.value) || 1)) - 1)}
    />
  );
  return (
    <div class="within" data-testid="within">
      <strong>In the box</strong>
      {!session.isFlat && (
        <div class="ruling">
          <span class="grow">Slices</span>
          {edge(box.start[axis]!, (slice) => through(slice, Math.max(slice, box.stop[axis]! - 1)), "First slice of the box", "region-first")}–
          {edge(box.stop[axis]! - 1, (slice) => through(Math.min(slice, box.start[axis]!), slice), "Last slice of the box", "region-last")}
          <button class="small" data-testid="region-all" onClick={() => through(0, depth - 1)}>
            All
          </button>
        </div>
      )}
      <div class="ruling">
        <select
          class="grow"
          value={label}
          aria-label="Label within the box"
          data-testid="region-label"
          onChange={(event) => setLabel(event.currentTarget.value)}
        >
          <option value={ALL}>all labels</option>
          {found.project.labels.map(({ value, name }) => (
            <option key={value} value={String(value)}>
              {name}
            </option>
          ))}
        </select>
        <Who
          found={found}
          name="Whose annotation counts in the box"
          label={only}
          value=""
          none="by …"
          testid="region-by"
          onChange={(id) => id && found.decideIn(box, id, only)}
        />
      </div>
      <button class="small" onClick={() => (session.advice.region.value = null)}>
        Remove the box
      </button>
    </div>
  );
}

interface CommentProps {
  found: Comparison;
  label: string;
  testid: string;
  required?: boolean;
  autofocus?: boolean;
}

/** What a reviewer says with a verdict. */
export function CommentField({ found, label, testid, required = false, autofocus = false }: CommentProps) {
  return (
    <label class="field">
      {label}
      <input
        type="text"
        dir="auto"
        required={required}
        value={found.comment.value}
        maxLength={500}
        autofocus={autofocus}
        data-testid={testid}
        onInput={(event) => (found.comment.value = event.currentTarget.value)}
      />
    </label>
  );
}

/** Why the last verdict was refused, read out at once. */
export function Refused({ found }: { found: Comparison }) {
  return (
    <div role="alert">
      {found.refused.value && (
        <p class="banner" data-testid="verdict-refused">
          {found.refused.value}
        </p>
      )}
    </div>
  );
}

const labelName = (found: Comparison, label: number): string =>
  found.project.labels.find(({ value }) => value === label)?.name ?? (sharedName(found.project.labels, label) || `label ${label}`);

/** "large +120 −8 voxels". */
export const changeWords = (found: Comparison, changes: readonly Difference[]): string =>
  changes.map(({ label, added, removed }) => `${labelName(found, label)} +${added} −${removed}`).join(", ");

function Accept({ found }: { found: Comparison }) {
  const rulings = found.rulings.value;
  if (rulings.length === 0) return null;
  const segments = found.project.kind === "segmentation";
  const preview = found.preview.value;
  const changes = changeWords(found, found.changes.value);
  const what = segments ? (changes ? `${changes} voxels` : "no voxel changes") : `the class of ${found.nameOf(rulings[0]!.annotation_id)} counts`;
  const accept = (event: Event): void => {
    event.preventDefault();
    const body = { choices: [...rulings], comment: found.comment.value, effort: found.effort, ...found.looked };
    void found.act(
      () => calls.adjudicate(found.project.id, found.caseId, body),
      `Adjudicated: ${what}. Your decision stands before the readings, which stay as they are.`,
    );
  };
  return (
    <form onSubmit={accept}>
      <p class="hint" role="status" data-testid="preview">
        {segments && preview === null ? "Loading the readings…" : `Preview: ${what}`}
      </p>
      <CommentField found={found} label="Comment" testid="adjudicate-comment" />
      <Refused found={found} />
      <div class="row-end">
        <button type="button" data-testid="discard-rulings" onClick={() => (found.rulings.value = [])}>
          Discard
        </button>
        <button type="submit" class="primary" disabled={found.busy.value || (segments && preview === null)} data-testid="accept">
          Accept
        </button>
      </div>
    </form>
  );
}
