/** The readings of one case: overlay, side by side, disagreement; adjudication with a preview; verdicts and history. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { explain } from "../api/errors";
import { annotatorName } from "../api/person";
import { watchReadings } from "../api/stream";
import type { Project } from "../api/types";
import { heatColour, heatTable } from "../render/lut";
import type { MarkScene } from "../render/marks";
import type { LabelLayers } from "../render/painter";
import { frameOf, type Sign } from "../render/signs";
import { type Comparison, closeComparison, comparison, MANNERS, type MapKind, manner, openComparison, STANDING_COLOUR } from "../state/comparing";
import * as display from "../state/display";
import { helpShown } from "../state/display";
import { tellError } from "../state/notices";
import { go, linkTo } from "../state/router";
import { current } from "../state/session";
import { type CompareScene, compareOffers, pressCompareKey } from "../tools/comparekeys";
import { isComposing } from "../tools/keynames";
import { withKey } from "../tools/keytables";
import { offersHere } from "../tools/palette";
import { Adjudication, Refused } from "./adjudication";
import { ButtonRow } from "./buttonrow";
import { Key, Swatch } from "./controls";
import { CrosshairTable } from "./crosshair";
import { Header } from "./header";
import { HistoryDialog } from "./history";
import { Legend, OpacitySlider, WindowOptions } from "./look";
import { Pane, panesClass } from "./pane";
import type { PaneLook } from "./panelayers";
import { Agreement, Readers } from "./readers";
import { ReadingChip } from "./readingstate";
import { ReplayDialog } from "./replay";
import { SliceSaid } from "./slicesaid";
import { ApproveDialog, type Asked, mayDecide, ReturnDialog, Verdicts } from "./verdict";

export function CompareView({ project, caseId }: { project: Project; caseId: string }) {
  const [failure, setFailure] = useState<{ message: string; remedy: string } | null>(null);
  const person = annotatorName.value;
  useEffect(() => {
    let stale = false;
    setFailure(null);
    openComparison(project, caseId)
      .then((made) => {
        if (stale) return made.session.close();
        comparison.value = made;
        current.value = made.session;
        document.title = `${made.session.header.name} – readings – ${project.name}`;
      })
      .catch((error: unknown) => !stale && setFailure(explain(error)));
    return () => {
      stale = true;
      if (comparison.value) closeComparison(comparison.value);
      comparison.value = current.value = null;
    };
  }, [project.id, caseId, person]);
  const found = comparison.value;
  return (
    <div class="view annotate">
      <Header project={project} view="review">
        {found && <span class="case-name">{found.session.header.name}</span>}
        {found && <ReadingChip progress={found.readings.value.progress} testid="case-reading" />}
      </Header>
      {failure ? <Failed project={project} {...failure} /> : found ? <Compared key={caseId} found={found} /> : <main class="centre" role="status" />}
    </div>
  );
}

function Failed({ project, message, remedy }: { project: Project; message: string; remedy: string }) {
  return (
    <main class="centre" data-testid="readings-refused">
      <div class="empty">
        <strong>{message}</strong>
        <p>{remedy}</p>
        <a class="button" href={linkTo.worklist(project.id)}>
          Worklist
        </a>
      </div>
    </main>
  );
}

function Compared({ found }: { found: Comparison }) {
  const [asked, open] = useState<Asked>(null);
  const { session } = found;
  useEffect(() => {
    const watch = watchReadings(found.project.id, () => void found.checkNews().catch(tellError));
    return () => watch.close();
  }, [found]);
  useEffect(() => {
    const beat = (): void => session.effort.beat(performance.now());
    const button = (verdict: string) => document.querySelector<HTMLButtonElement>(`[data-testid="${verdict}"]`);
    const scene: CompareScene = {
      found,
      leave: () => go(mayDecide(found) ? linkTo.review(found.project.id) : linkTo.worklist(found.project.id)),
      press: (verdict) => button(verdict)?.click(),
      lacks: (verdict) =>
        button(verdict)?.disabled
          ? button(verdict)!.title || "There is nothing to decide about yet"
          : button(verdict)
            ? ""
            : "Not for this case, or not in your role",
    };
    const onKey = (event: KeyboardEvent): void => {
      beat();
      if (event.defaultPrevented || isComposing(event) || isTyping(event.target) || helpShown.value || document.querySelector("dialog[open]")) return;
      if (pressCompareKey(event, scene)) event.preventDefault();
    };
    offersHere.value = () => compareOffers(scene);
    const events: [string, (event: never) => void][] = [
      ["keydown", onKey],
      ["pointermove", beat],
      ["pointerdown", beat],
      ["wheel", beat],
    ];
    for (const [name, act] of events) window.addEventListener(name, act as EventListener, { passive: false });
    return () => {
      offersHere.value = null;
      for (const [name, act] of events) window.removeEventListener(name, act as EventListener);
    };
  }, [found]);
  return (
    <main class="workplace comparing" data-testid="comparing" data-case={found.caseId} data-ready={session.ready.value}>
      <div class="comparing-head">
        <Manners found={found} />
        <News found={found} />
      </div>
      <Panes found={found} />
      <SliceSaid session={session} />
      <aside class="side" aria-label="Readings">
        <div class="side-scroll">
          <Readers found={found} />
          <Agreement found={found} />
          <Adjudication found={found} />
          <Reviews found={found} open={open} />
          {found.project.kind === "segmentation" && manner.value === "map" && (
            <section class="block">
              <OpacitySlider opacity={display.uncertaintyOpacity} low={0.1} testid="map-opacity" />
            </section>
          )}
          <WindowOptions session={session} />
        </div>
        <Verdicts found={found} open={open} />
      </aside>
      {asked === "approve" && <ApproveDialog found={found} onClose={() => open(null)} />}
      {asked === "return" && <ReturnDialog found={found} onClose={() => open(null)} />}
      {asked === "history" && <HistoryDialog found={found} onReplay={(replay) => open({ replay })} onClose={() => open(null)} />}
      {asked !== null && typeof asked === "object" && <ReplayDialog session={session} annotation={asked.replay} onClose={() => open("history")} />}
    </main>
  );
}

function isTyping(target: EventTarget | null): boolean {
  const types = target instanceof HTMLInputElement && !["checkbox", "radio", "range"].includes(target.type);
  return types || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

function Manners({ found }: { found: Comparison }) {
  if (found.project.kind !== "segmentation") return null;
  const { labels } = found.project;
  return (
    <div class="row">
      <ButtonRow class="segments" label="Compare the readings">
        {MANNERS.map(([value, name]) => (
          <button
            key={value}
            aria-pressed={manner.value === value}
            title={withKey(name, "compare-manner")}
            data-testid={`compare-${value}`}
            onClick={() => (manner.value = value)}
          >
            {name}
          </button>
        ))}
      </ButtonRow>
      {labels.length > 1 && manner.value !== "map" && (
        <select
          value={found.onlyLabel.value ?? ""}
          aria-label="Labels shown"
          data-testid="only-label"
          onChange={(event) => (found.onlyLabel.value = event.currentTarget.value === "" ? null : Number(event.currentTarget.value))}
        >
          <option value="">all labels</option>
          {labels.map(({ value, name }) => (
            <option key={value} value={value}>
              {name} only
            </option>
          ))}
        </select>
      )}
      {manner.value === "map" && (
        <div class="map-legend" data-testid="map-legend">
          <select
            value={found.mapKind.value}
            aria-label="What the map shows"
            data-testid="map-kind"
            onChange={(event) => (found.mapChosen.value = event.currentTarget.value as MapKind)}
          >
            <option value="readers">Share of the readers who differ</option>
            <option value="entropy" disabled={found.entropy.value === null}>
              Entropy of the consensus
            </option>
          </select>
          <Legend from="agree" to="disagree" colourOf={heatColour} testid="map-colours" />
        </div>
      )}
    </div>
  );
}

/** What has changed since the readings were loaded, and what was done. */
function News({ found }: { found: Comparison }) {
  return (
    <>
      {found.changed.value && (
        <p class="banner" role="alert" data-testid="readings-changed">
          Somebody has annotated or reviewed this case since you opened it.{" "}
          <button class="small" onClick={() => void found.reload().catch(tellError)}>
            Load it again
          </button>
        </p>
      )}
      {found.outcome.value && (
        <p class="banner banner-done" role="status" data-testid="outcome">
          {found.outcome.value} The case is {found.readings.value.progress.words}. <a href={linkTo.review(found.project.id)}>Back to the queue</a>
        </p>
      )}
      {found.rulings.value.length === 0 && <Refused found={found} />}
    </>
  );
}

function Panes({ found }: { found: Comparison }) {
  const { session } = found;
  const look = useMemo((): PaneLook => ({ layers: () => layersOf(found), signs: (scene) => signsOf(found, scene) }), [found]);
  if (manner.value === "side" && found.project.kind === "segmentation") return <SideBySide found={found} />;
  return (
    <div class={`panes ${panesClass(session)}`}>
      {session.planes.map((plane, index) => (
        <Pane key={plane.name} session={session} index={index} look={look} />
      ))}
      {panesClass(session) === "panes-four" && <CrosshairTable session={session} />}
    </div>
  );
}

/** Linked panes: one slice, one window, one zoom for all. */
function SideBySide({ found }: { found: Comparison }) {
  const readings = [...found.shown.value, ...(found.standing && !found.readers.includes(found.standing) && found.standingShown.value ? [found.standing] : [])];
  const columns = Math.min(4, Math.ceil(Math.sqrt(readings.length)));
  return (
    <div class={`panes panes-many panes-by-${columns}`} data-testid="side-by-side">
      {readings.map(({ annotation_id: id, annotator, origin }) => {
        const name = origin === "consensus" ? "What stands: consensus" : origin === "adjudicated" ? `What stands: ${annotator}` : annotator;
        return (
          <figure key={id} class="pane-of">
            <figcaption>
              <Swatch colour={found.colourOf(id)} />
              <bdi>{name}</bdi>
            </figcaption>
            <ReadingPane found={found} id={id} name={name} />
          </figure>
        );
      })}
      {readings.length === 0 && <p class="centre hint">Every reader is hidden.</p>}
    </div>
  );
}

function ReadingPane({ found, id, name }: { found: Comparison; id: string; name: string }) {
  const { session } = found;
  const look = useMemo(
    (): PaneLook => ({ layers: () => ({ ...nothing(found), mask: found.masks.value.get(id) ?? null }), signs: (scene) => signsOf(found, scene) }),
    [found, id],
  );
  return <Pane session={session} index={session.main} look={look} of={{ id, name }} />;
}

const NONE: ReadonlySet<number> = new Set();

const nothing = (found: Comparison): LabelLayers => {
  const only = found.onlyLabel.value;
  const labels = found.project.labels.filter(({ value }) => only === null || value === only);
  return {
    mask: null,
    style: { labels, hidden: NONE, opacity: display.maskOpacity.value, outline: display.outlined.value },
    heat: null,
    proposal: null,
    prompted: null,
    hypothesis: null,
    people: [],
  };
};

function layersOf(found: Comparison): LabelLayers {
  const base = nothing(found);
  if (found.project.kind !== "segmentation") return base;
  const label = found.onlyLabel.value;
  const standing = found.standingMask;
  const outlines = found.shown.value.flatMap(({ annotation_id: id }) => {
    const mask = found.masks.value.get(id);
    return mask ? [{ mask, colour: found.colourOf(id), label }] : [];
  });
  const stands = standing && found.standingShown.value && !found.readers.includes(found.standing!) ? [{ mask: standing, colour: STANDING_COLOUR, label }] : [];
  if (manner.value === "map") {
    return { ...base, heat: { map: found.map.value, colours: heatTable, opacity: display.uncertaintyOpacity.value }, people: stands };
  }
  const decides = found.rulings.value.length > 0;
  return { ...base, mask: decides ? found.preview.value : null, people: [...stands, ...outlines] };
}

function signsOf(found: Comparison, scene: Omit<MarkScene, "colourOf">): Sign[] {
  const box = found.session.advice.region.value;
  return [
    ...found.rulings.value.flatMap((one) => (one.box ? frameOf(one.box, found.nameOf(one.annotation_id), found.colourOf(one.annotation_id), scene) : [])),
    ...(box ? frameOf(box, "box", STANDING_COLOUR, scene) : []),
  ];
}

/** Verdicts so far, newest last. */
function Reviews({ found, open }: { found: Comparison; open: (asked: Asked) => void }) {
  const { reviews } = found.readings.value;
  return (
    <section class="block" data-testid="reviews">
      <h3>Reviews</h3>
      {reviews.length === 0 && <p class="hint">None yet.</p>}
      {reviews.map(({ id, reviewer, verdict, comment, returned_to: to, signature }) => (
        <p key={id} class="review">
          <bdi class="strong">{reviewer}</bdi>{" "}
          {verdict === "approve" ? (
            "approved"
          ) : (
            <>
              returned to <bdi>{to}</bdi>
            </>
          )}
          {comment && <span class="hint">: {comment}</span>}
          {signature && (
            <span class="hint facts-line">
              signed by <bdi>{signature.name}</bdi> ({signature.meaning})
            </span>
          )}
        </p>
      ))}
      <button class="small" data-testid="history" onClick={() => open("history")}>
        History <Key of="compare-history" />
      </button>
    </section>
  );
}
