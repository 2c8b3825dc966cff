/** Prompts in the panel: their sign, who answers them and how well, and the list of those that hold. */
import { useEffect } from "preact/hooks";
import type { Prompt, Triple } from "../api/types";
import { changesOf } from "../edits/changes";
import type { Given } from "../edits/prompts";
import * as display from "../state/display";
import { accept, changeText, dropPreview, previewOpen } from "../state/previewing";
import { prepare, removeGiven } from "../state/refining";
import type { CaseSession } from "../state/session";
import { withKey } from "../tools/keytables";
import { useOneStop } from "./buttonrow";
import { Key, PlainButton, Swatch, Toggle } from "./controls";
import { Icon } from "./icons";

export function PromptOptions({ session }: { session: CaseSession }) {
  const inHand = display.PROMPT_TOOLS.includes(display.tool.value);
  const ready = session.ready.value;
  const list = useOneStop<HTMLOListElement>();
  useEffect(() => void (inHand && ready && prepare(session)), [session, inHand, ready]);
  const given = session.draft.value?.prompts.inForce.value ?? [];
  if (!inHand && given.length === 0) return null;
  return (
    <section class="block" data-testid="prompts" aria-busy={session.refining.value}>
      <h3>Prompts</h3>
      <Toggle value={display.negative} action="negative" testid="negative">
        Mark what does not belong
      </Toggle>
      <Toggle value={display.acceptAtOnce} action="accept-at-once" testid="accept-at-once">
        Accept at once, without a preview
      </Toggle>
      <PreviewBar session={session} />
      <Outcome session={session} />
      <ol ref={list} class="prompt-list">
        {given.map((item) => (
          <Row key={item.id} session={session} given={item} />
        ))}
      </ol>
    </section>
  );
}

/** What the prompts so far would change, and the two things to do about it. */
function PreviewBar({ session }: { session: CaseSession }) {
  const shown = session.previews?.shown.value;
  const draft = session.draft.value;
  if (!draft || !previewOpen(session)) return null;
  const press = (act: (session: CaseSession) => void) => (): void => act(session);
  return (
    <div class="preview" data-testid="preview" data-verb="annotate">
      <p class="facts" role="status" aria-live="polite" data-testid="preview-change">
        {shown ? `Preview: ${changeText(session, changesOf(draft.mask, shown.runs))}` : "Preview: computing…"}
        {shown?.note && ` (${shown.note})`}
      </p>
      <div class="row pair">
        <PlainButton
          class="small primary"
          title="The preview becomes part of the mask; a click on it does the same"
          testid="preview-accept"
          onPress={press(accept)}
        >
          Accept <Key of="submit" />
        </PlainButton>
        <PlainButton
          class="small"
          title={`Nothing is changed; ${withKey("its last prompt is taken back", "undo")}`}
          testid="preview-drop"
          onPress={press(dropPreview)}
        >
          Drop <Key of="leave" />
        </PlainButton>
      </div>
    </div>
  );
}

function Outcome({ session }: { session: CaseSession }) {
  const quality = session.refinedQuality.value;
  const engine = session.engine.value;
  const engineLine = session.refining.value ? "Working…" : engine ? `Engine: ${engine}` : "";
  return (
    <p class="facts" role="status" aria-live="polite">
      <span data-testid="refining" data-busy={session.refining.value} class={session.refining.value ? "working" : ""}>
        {engineLine}
      </span>
      {session.change.value && <span data-testid="last-change">{session.change.value}</span>}
      {quality !== null && !session.refining.value && <span data-testid="refined-quality">expected Dice {quality.toFixed(2)}</span>}
    </p>
  );
}

function Row({ session, given: { id, prompt } }: { session: CaseSession; given: Given }) {
  const label = session.labels.find(({ value }) => value === prompt.label);
  const chosen = session.chosenPrompt.value === id;
  const choose = (): void => {
    session.chosenPrompt.value = chosen ? null : id;
    const place = placeOf(prompt);
    if (place && !chosen) session.lookAt(place);
  };
  return (
    <li class="prompt-row" data-testid={`prompt-${id}`}>
      <button class="label-row grow" aria-pressed={chosen} onMouseDown={(event) => event.preventDefault()} onClick={choose}>
        <Swatch colour={label?.colour ?? "#888888"} />
        <span class="grow">
          {"positive" in prompt ? (prompt.positive ? "+ " : "− ") : ""}
          {NAMES[prompt.kind]} {label?.name}
        </span>
      </button>
      <button
        class="small"
        title={withKey("Remove this prompt", "prompt-remove")}
        aria-label={`Remove this ${NAMES[prompt.kind]}`}
        data-testid={`remove-${id}`}
        onMouseDown={(event) => event.preventDefault()}
        onClick={() => removeGiven(session, id)}
      >
        <Icon name="close" />
      </button>
    </li>
  );
}

const NAMES: Record<Prompt["kind"], string> = {
  point: "click",
  scribble: "stroke",
  box: "box",
  lasso: "outline",
  extreme_points: "outermost points",
};

function placeOf(prompt: Prompt): Triple | null {
  if (prompt.kind === "point") return prompt.voxel;
  if (prompt.kind === "scribble" || prompt.kind === "extreme_points") return prompt.voxels[0] ?? null;
  return prompt.kind === "box" ? (prompt.start.map((start, axis) => Math.floor((start + prompt.stop[axis]! - 1) / 2)) as Triple) : null;
}
