/** How a mask came about, step by step, in panes of its own over the page; closed, the open edit is as it was. */
import { effect } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { readHistory, readSteps } from "../api/calls";
import { explain } from "../api/errors";
import type { DraftSteps, HistoryLine } from "../api/types";
import { Draft } from "../edits/draft";
import { EffortTimer } from "../edits/effort";
import { maskOpacity, outlined } from "../state/display";
import { newSession } from "../state/effort";
import { Replay, SPEEDS } from "../state/replay";
import { CaseSession } from "../state/session";
import { chordsOf } from "../tools/keynames";
import { pressKey } from "../tools/keys";
import { ButtonRow } from "./buttonrow";
import { Dialog } from "./dialog";
import { clock } from "./format";
import { Icon, type IconName } from "./icons";
import { Pane, panesClass } from "./pane";
import { lookOf, type PaneLook } from "./panelayers";

interface ReplayProps {
  /** Of the case: the open edit, or the comparison of its readings. */
  session: CaseSession;
  /** The annotation to begin with; without one the draft. */
  annotation?: string;
  onClose: () => void;
}

const DRAFT = "";

export function ReplayDialog({ session, annotation, onClose }: ReplayProps) {
  const own = session.looksOnly || session.purpose === "compare" ? null : session.assignmentId;
  const [of, choose] = useState<string | null>(annotation ?? (own ? DRAFT : null));
  const [lines, setLines] = useState<readonly HistoryLine[] | null>(null);
  useEffect(() => {
    session.film.stop();
    const found = readHistory(session.project.id, session.header.id).catch((): HistoryLine[] => []); // blind: one's own draft all the same
    void found.then((all) => {
      const drawn = all.filter(({ replayable }) => replayable).reverse();
      setLines(drawn);
      choose((now) => now ?? drawn[0]?.annotation_id ?? null);
    });
  }, []);
  return (
    <Dialog title={`Replay: ${session.header.name}`} testid="replay" wide="whole" onClose={onClose}>
      <div class="replay-head">
        <label>
          Of{" "}
          <select value={of ?? ""} disabled={of === null} data-testid="replay-of" onChange={(event) => choose(event.currentTarget.value)}>
            {own && <option value={DRAFT}>the draft on the screen</option>}
            {lines?.map(({ annotation_id, who, what, at, in_force }) => (
              <option key={annotation_id} value={annotation_id}>
                {`${what} by ${who}, ${clock(at)}${in_force ? ", in force" : ""}`}
              </option>
            ))}
          </select>
        </label>
        <span class="hint">Space plays or pauses · ← → one step · Home, End · + − speed · F follows · Esc closes</span>
        <span class="grow" />
        <button type="button" data-testid="replay-close" onClick={onClose}>
          Close
        </button>
      </div>
      {of !== null ? (
        <Steps key={of} session={session} of={of} />
      ) : (
        <p class="centre hint" role="status" data-testid="replay-nothing">
          {lines ? "Nobody has drawn an annotation of this case here, so there are no steps to go through." : "Loading…"}
        </p>
      )}
    </Dialog>
  );
}

type Loaded = { made: DraftSteps } | { refused: string } | null;

function Steps({ session, of }: { session: CaseSession; of: string }) {
  const [loaded, setLoaded] = useState<Loaded>(null);
  useEffect(() => {
    readAll(session, of).then(
      (made) => setLoaded({ made }),
      (error: unknown) => setLoaded({ refused: `${explain(error).message}; ${explain(error).remedy}` }),
    );
  }, []);
  if (loaded && "made" in loaded) return <Stage session={session} made={loaded.made} />;
  return (
    <p class="centre hint" role="status" data-testid="replay-status">
      {loaded ? loaded.refused : session.draft.value?.pending.value ? "Waiting until what you drew is saved…" : "Loading the steps…"}
    </p>
  );
}

/** Of a draft everything that is drawn, so that the last step is what is on the screen. */
async function readAll(session: CaseSession, of: string): Promise<DraftSteps> {
  if (of !== DRAFT) return readSteps(session.project.id, { annotation: of });
  await session.refiner?.settled();
  await session.queue?.flushed();
  return readSteps(session.project.id, { assignment: session.assignmentId });
}

interface Shown {
  replay: Replay;
  copy: CaseSession;
  look: PaneLook;
}

function Stage({ session, made }: { session: CaseSession; made: DraftSteps }) {
  const [follows, follow] = useState(true);
  const shown = useMemo(() => open(session, made), []);
  const { replay, copy, look } = shown;
  const slider = useRef<HTMLInputElement>(null);
  replay.follows = follows;
  useLayoutEffect(() => slider.current?.focus(), []); // with the text, so that no key comes between the two
  useLayoutEffect(() => listen(session, shown, () => follow((now) => !now)), []);
  const step = replay.step;
  return (
    <>
      <div class={`panes ${panesClass(copy)}`}>
        {copy.planes.map((plane, index) => (
          <Pane key={plane.name} session={copy} index={index} look={look} />
        ))}
      </div>
      <div class="replay-bar">
        <ButtonRow class="replay-buttons" label="Steps">
          <Press
            icon="previous"
            name="Step back"
            testid="replay-back"
            disabled={replay.position.value === 0}
            onPress={() => replay.go(replay.position.value - 1)}
          />
          <Press
            icon={replay.playing.value ? "pause" : "play"}
            name={replay.playing.value ? "Pause" : "Play"}
            testid="replay-play"
            pressed={replay.playing.value}
            disabled={replay.count === 0}
            onPress={() => replay.toggle()}
          />
          <Press
            icon="following"
            name="Step forward"
            testid="replay-next"
            disabled={replay.position.value === replay.count}
            onPress={() => replay.go(replay.position.value + 1)}
          />
          <button type="button" class="chip" aria-pressed={follows} data-testid="replay-follow" onClick={() => follow(!follows)}>
            Follow what changes
          </button>
        </ButtonRow>
        <input
          ref={slider}
          type="range"
          min={0}
          max={replay.count}
          step={1}
          value={replay.position.value}
          aria-label="Step"
          aria-valuetext={`Step ${replay.position.value} of ${replay.count}`}
          data-testid="replay-slider"
          onInput={(event) => replay.go(Number(event.currentTarget.value))}
        />
        <select
          value={replay.speed.value}
          aria-label="Speed"
          data-testid="replay-speed"
          onChange={(event) => (replay.speed.value = SPEEDS.find((speed) => speed === Number(event.currentTarget.value))!)}
        >
          {SPEEDS.map((speed) => (
            <option key={speed} value={speed}>
              {speed}×
            </option>
          ))}
        </select>
      </div>
      <output
        class="replay-text"
        data-testid="replay-text"
        data-position={replay.position.value}
        data-count={replay.count}
        aria-live={replay.playing.value ? "off" : "polite"}
      >
        {step
          ? `Step ${replay.position.value} of ${replay.count}: ${textOf(copy, step)} · ${made.who}, ${timeText(step.at)} · ${voxelsText(replay.changed)}`
          : beginText(replay)}
      </output>
    </>
  );
}

const beginText = ({ count, made }: Replay): string =>
  count === 0 ? "Nothing was drawn: this is what it began with." : `Before the first of ${count} steps by ${made.who}: what it began with.`;

/** "Prompt: point, includes kidney (classical)". */
function textOf({ project }: CaseSession, { what, prompts, engine }: DraftSteps["steps"][number]): string {
  const named = prompts.map((prompt) => {
    const label = project.labels.find(({ value }) => value === prompt.label)?.name ?? String(prompt.label);
    return "positive" in prompt && !prompt.positive ? `not ${label}` : label;
  });
  const detail = prompts.length > 0 ? `, ${[...new Set(named)].join(", ")}${engine ? ` (${engine})` : ""}` : "";
  return `${what[0]!.toUpperCase()}${what.slice(1)}${detail}`;
}

const voxelsText = (count: number): string => (count === 0 ? "no voxel changed" : `${count} voxel${count === 1 ? "" : "s"} changed`);
/** With seconds, which the clock of a list leaves out. */
const timeText = (iso: string): string => new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" }).format(new Date(iso));

/** A look at the same image with a mask of its own. */
function open(session: CaseSession, made: DraftSteps): Shown {
  const now = performance.now();
  const copy = new CaseSession(session.project, session.opened, new EffortTimer(now, 0, newSession()), now, "compare");
  copy.crosshair.value = session.crosshair.value;
  copy.channel.value = session.channel.value;
  copy.window.value = session.window.value;
  copy.hanging.maximised.value = session.hanging.maximised.value;
  const replay = new Replay(made, session.header.shape);
  const draft = new Draft(replay.mask);
  replay.show = (step, middle) => {
    draft.prompts.inForce.value = (step?.prompts ?? []).map((prompt, n) => ({ id: String(n), prompt }));
    draft.changes.value++;
    if (replay.follows && middle) copy.lookAt(middle);
  };
  copy.draft.value = draft;
  const base = lookOf(copy);
  const layers: PaneLook["layers"] = () => ({
    ...base.layers(),
    mask: replay.mask,
    version: draft.changes.value,
    style: { labels: copy.labels, hidden: new Set(), opacity: maskOpacity.value, outline: outlined.value },
    heat: null,
    proposal: null,
  });
  return { replay, copy, look: { layers, signs: () => [] } };
}

/** Keys, and the image as it arrives; gives how to end. */
function listen(session: CaseSession, { replay, copy }: Shown, turnFollowing: () => void): () => void {
  const keys: Record<string, () => void> = {
    Space: () => replay.toggle(),
    ArrowRight: () => replay.go(replay.position.value + 1),
    ArrowLeft: () => replay.go(replay.position.value - 1),
    Home: () => replay.go(0),
    End: () => replay.go(replay.count),
    "+": () => replay.faster(1),
    "-": () => replay.faster(-1),
    F: turnFollowing,
  };
  const onKey = (event: KeyboardEvent): void => {
    const { target } = event;
    const chord = chordsOf(event).find((one) => one in keys);
    if (event.key === "Escape" || event.key === "Tab" || isOwn(target, event.key)) return;
    if (chord) keys[chord]!();
    else if (!pressKey(event, { session: copy, openDialog: () => undefined, leave: () => undefined })) return;
    event.preventDefault();
    event.stopPropagation();
  };
  const stop = effect(() => {
    copy.volume.value = session.volume.value;
    copy.arrived.value = session.arrived.value;
  });
  window.addEventListener("keydown", onKey, { capture: true });
  Object.defineProperty(window, "medloopReplay", {
    configurable: true,
    value: Object.freeze({ mask: () => [...replay.mask], crosshair: () => [...copy.crosshair.value] }),
  });
  return () => {
    replay.stop();
    stop();
    copy.close();
    window.removeEventListener("keydown", onKey, { capture: true });
    Reflect.deleteProperty(window, "medloopReplay");
  };
}

/** What the control in focus does by a key itself. */
function isOwn(target: EventTarget | null, key: string): boolean {
  if (target instanceof HTMLSelectElement) return true;
  const moves = key.startsWith("Arrow") || key.startsWith("Page") || key === "Home" || key === "End";
  if (target instanceof HTMLButtonElement) return moves || key === " " || key === "Enter";
  return target instanceof HTMLInputElement && moves;
}

interface PressProps {
  icon: IconName;
  name: string;
  testid: string;
  pressed?: boolean;
  disabled: boolean;
  onPress: () => void;
}

function Press({ icon, name, testid, pressed, disabled, onPress }: PressProps) {
  return (
    <button type="button" class="icon-button" title={name} aria-label={name} aria-pressed={pressed} disabled={disabled} data-testid={testid} onClick={onPress}>
      <Icon name={icon} />
    </button>
  );
}
