/** The annotation view: opens a case, lays out planes, tools and panel, and listens to the keyboard. */
import { effect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { explain } from "../api/errors";
import { annotatorName } from "../api/person";
import { signInWanted } from "../api/signingin";
import type { NothingLeft, Project } from "../api/types";
import { helpShown } from "../state/display";
import { beat as beatOn, keepEffort, reportEffort, yieldTo } from "../state/effort";
import { tellError } from "../state/notices";
import { openDecision, openSession } from "../state/opening";
import { settleLooks } from "../state/places";
import { leavePreview } from "../state/previewing";
import { followOutlook, followProposals, revealProposal } from "../state/proposals";
import { followReturns } from "../state/returning";
import { go, linkTo, rename, route } from "../state/router";
import { type CaseSession, current } from "../state/session";
import { releaseMask } from "../tools/keyactions";
import { isComposing } from "../tools/keynames";
import { actionsOf, press, pressKey, refusalOf, releaseKey } from "../tools/keys";
import { offersHere, offersOf } from "../tools/palette";
import { held } from "../tools/pointer";
import { CaseStatus } from "./casestatus";
import { CrosshairTable } from "./crosshair";
import { ConflictDialog, ReasonDialog, ReplaceDialog } from "./dialogs";
import { FeedbackDialog } from "./gold";
import { Header } from "./header";
import { later, Missing } from "./later";
import { besideOpen, LazyBeside } from "./lazybeside";
import { LazySurface, surfaceOpen } from "./lazysurface";
import { Pane, panesClass } from "./pane";
import { SidePanel } from "./sidepanel";
import { SliceSaid } from "./slicesaid";
import { StatusLine } from "./statusline";
import { Toolbar } from "./toolbar";
import { ToolSettings } from "./toolsettings";
import { ReadOnly } from "./warnings";

type Dialogue = "skip" | "flag" | "replay" | null;

const FrameBar = later(
  () => import("./framebar").then((part) => part.FrameBar),
  () => null,
);
const ReplayDialog = later(
  () => import("./replay").then((part) => part.ReplayDialog),
  ({ failed }) => (failed ? <Missing failed /> : null),
);

interface AnnotateProps {
  project: Project;
  caseId: string | null;
  /** A reviewer draws the decision. */
  decides?: boolean;
}

export function Annotate({ project, caseId, decides = false }: AnnotateProps) {
  const [ended, setEnded] = useState<{ title: string; reason: string } | null>(null);
  const [dialogue, openDialog] = useState<Dialogue>(null);
  const here = route.value;
  const person = annotatorName.value;
  useEffect(() => openCase(project, caseId, decides, setEnded), [project.id, here, person]);
  useEffect(() => () => leaveCase(), []);
  const session = current.value;
  useEffect(() => (session && !session.looksOnly ? followProposals(session) : undefined), [session]);
  useEffect(() => (session && !session.looksOnly ? followReturns(session) : undefined), [session]);
  useEffect(() => (session && !session.looksOnly ? revealProposal(session) : undefined), [session]);
  useEffect(() => (session && !session.looksOnly && !decides ? followOutlook(session) : undefined), [session]);
  const leave = (): void => go(decides && caseId ? linkTo.readings(project.id, caseId) : linkTo.worklist(project.id));
  useEffect(() => (session ? listen(session, openDialog, leave) : undefined), [session]);
  useEffect(() => openDialog(null), [session]); // a question about a case that was left is not one about the next
  return (
    <div class="view annotate">
      <Header project={project} view={decides ? "review" : "annotate"}>
        {session && !ended && <CaseStatus session={session} />}
      </Header>
      <ReadOnly project={project} />
      {ended ? (
        <Ended project={project} title={ended.title} reason={ended.reason} />
      ) : session ? (
        <Workplace session={session} openDialog={openDialog} />
      ) : (
        <Opening />
      )}
      {session && dialogue === "replay" && <ReplayDialog session={session} onClose={() => openDialog(null)} />}
      {session && dialogue && dialogue !== "replay" && <ReasonDialog session={session} verb={dialogue} onClose={() => openDialog(null)} />}
      {session && <ConflictDialog session={session} />}
      {session && <ReplaceDialog session={session} />}
      <FeedbackDialog />
    </div>
  );
}

function Workplace({ session, openDialog }: { session: CaseSession; openDialog: (dialogue: Dialogue) => void }) {
  return (
    <main class="workplace" data-testid="workplace" data-case={session.header.id} data-ready={session.ready.value}>
      <Toolbar session={session} openDialog={openDialog} />
      {session.project.kind === "segmentation" && !session.looksOnly && <ToolSettings session={session} />}
      <div class={`panes ${panesClass(session)}`} key={session.header.id + session.assignmentId}>
        {session.planes.map((plane, index) => (
          <Pane key={plane.name} session={session} index={index} />
        ))}
        {surfaceOpen(session) ? <LazySurface session={session} /> : panesClass(session) === "panes-four" && <CrosshairTable session={session} />}
        {besideOpen(session) && <LazyBeside session={session} />}
      </div>
      {(session.isFilm || session.named.value.length > 0) && <FrameBar session={session} />}
      <StatusLine session={session} />
      <SliceSaid session={session} />
      <SidePanel session={session} openDialog={openDialog} />
    </main>
  );
}

function Opening() {
  return (
    <main class="centre" role="status">
      <span class="hint">Opening…</span>
    </main>
  );
}

function Ended({ project, title, reason }: { project: Project; title: string; reason: string }) {
  return (
    <main class="centre" data-testid="nothing-left">
      <div class="empty">
        <strong>{title}</strong>
        <p>{reason}</p>
        <div class="row">
          <a class="button primary" href={linkTo.progress(project.id)}>
            See the progress
          </a>
          <a class="button" href={linkTo.worklist(project.id)}>
            Worklist
          </a>
        </div>
      </div>
    </main>
  );
}

/** Replaces the case on the screen only when the next one is there, so that nothing flickers. */
function openCase(project: Project, caseId: string | null, decides: boolean, setEnded: (ended: { title: string; reason: string } | null) => void): () => void {
  const address = location.hash;
  let stale = false;
  const show = (opened: CaseSession | NothingLeft): void => {
    if (stale || location.hash !== address) return; // left for elsewhere: its `hashchange` comes later, and a new name would undo it
    leaveCase();
    if (!("header" in opened)) return setEnded({ title: "Nothing is waiting for annotation", reason: opened.reason });
    setEnded(null);
    current.value = opened;
    document.title = `${opened.header.name} – ${project.name}`;
    if (caseId === null) rename(linkTo.case(project.id, opened.header.id), "replace");
  };
  const began = performance.now();
  (decides && caseId ? openDecision(project, caseId, began) : openSession(project, caseId, began)).then(show).catch((error: unknown) => {
    if (stale) return;
    tellError(error);
    leaveCase();
    setEnded({ title: "This case did not open", reason: `${explain(error).message}; ${explain(error).remedy}` });
  });
  return () => {
    stale = true;
  };
}

function leaveCase(): void {
  const session = current.value;
  if (!session) return;
  if (!session.closed && !session.looksOnly) {
    void reportEffort(session);
    void settleLooks(session);
  }
  leavePreview(session);
  session.close();
  current.value = null;
}

const EFFORT_KEPT_MS = 5000;

function listen(session: CaseSession, openDialog: (dialogue: Dialogue) => void, leave: () => void): () => void {
  const beat = (): void => beatOn(session);
  const yielded = (event: StorageEvent): void => yieldTo(session, event);
  const onKey = (event: KeyboardEvent): void => {
    beat();
    if (isComposing(event)) return;
    const pans = event.key === " " && !session.isFilm; // a film plays by it
    if (pans) held.space = event.type === "keydown" && !isPressable(event.target);
    if (event.type === "keyup") releaseKey(event, session);
    if (event.type === "keyup" || event.defaultPrevented || helpShown.value || document.querySelector("dialog[open]")) return;
    if (belongsTo(event)) return;
    if (event.key === " " && isPressable(event.target)) return;
    if (pans || pressKey(event, { session, openDialog: open, leave })) event.preventDefault();
  };
  /** A dialog over the image must not leave a stroke behind it. */
  const open = (dialogue: Dialogue): void => {
    session.drag?.finish();
    openDialog(dialogue);
  };
  const keep = (): void => {
    if (!session.looksOnly) keepEffort(session);
  };
  const letGo = (): void => {
    held.space = false;
    releaseMask(performance.now());
    session.drag?.finish();
  };
  const look = (): void => {
    if (document.hidden) letGo();
    session.effort[document.hidden ? "leave" : "beat"](performance.now());
    if (document.hidden && !session.looksOnly) void reportEffort(session);
    session.sight[document.hidden ? "hidden" : "back"](performance.now());
  };
  const scene = { session, openDialog: open, leave };
  offersHere.value = () => offersOf(actionsOf(session), scene, { why: refusalOf, press });
  const retry = (): void => {
    session.queue?.retryNow();
    session.measurements.outbox?.retryNow();
  };
  const timer = window.setInterval(keep, EFFORT_KEPT_MS);
  const stop = effect(() => {
    const { hanging, crosshair, planes } = session;
    planes.forEach((plane, n) => {
      if ((hanging.alone.value ?? n) === n) session.effort.sees(plane.slice_axis, crosshair.value[plane.slice_axis]!);
    });
    if (session.conflict.value || signInWanted.value) session.drag?.finish();
  });
  document.addEventListener("visibilitychange", look);
  const events: [string, (event: never) => void][] = [
    ["keydown", onKey],
    ["keyup", onKey],
    ["pointermove", beat],
    ["pointerdown", beat],
    ["wheel", beat],
    ["online", retry],
    ["storage", yielded],
    ["pagehide", keep],
    ["blur", letGo],
  ];
  for (const [name, act] of events) window.addEventListener(name, act as EventListener, { passive: false });
  return () => {
    window.clearInterval(timer);
    stop();
    offersHere.value = null;
    document.removeEventListener("visibilitychange", look);
    for (const [name, act] of events) window.removeEventListener(name, act as EventListener);
  };
}

/** Keys that the control in focus answers itself; Enter with Ctrl or Shift is the page's from anywhere. */
function belongsTo(event: KeyboardEvent): boolean {
  const { target, key } = event;
  if ((event.ctrlKey || event.metaKey) && key === "Enter") return false;
  if (isTyping(target)) return true;
  if (key === "Enter" && !event.shiftKey && isPressable(target) && !(target instanceof HTMLInputElement)) return true;
  return target instanceof HTMLInputElement && (key.startsWith("Arrow") || key.startsWith("Page") || key === "Home" || key === "End");
}

function isTyping(target: EventTarget | null): boolean {
  const types = target instanceof HTMLInputElement && !["checkbox", "radio", "range"].includes(target.type);
  return types || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

function isPressable(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("button, a, summary, input, select") !== null;
}
