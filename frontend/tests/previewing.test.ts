import { afterEach, beforeEach, expect, test } from "vitest";
import type { CaseOutlook, Triple } from "../src/api/types";
import { acceptAtOnce, outlined, proposalShown, tool } from "../src/state/display";
import { notices, tell } from "../src/state/notices";
import { leavePreview } from "../src/state/previewing";
import { compareProposal, rejectProposal, revealProposal, takeProposal } from "../src/state/proposals";
import { attachRefiner, give, removeGiven, step } from "../src/state/refining";
import { attachQueue } from "../src/state/saving";
import type { CaseSession } from "../src/state/session";
import { LOOK_MS } from "../src/state/sight";
import { submitSession } from "../src/state/submitting";
import { pressKey } from "../src/tools/keys";
import { beginDrag } from "../src/tools/pointer";
import { outlookText } from "../src/views/strip";
import { headerOf, paneOf, predictionOf, projectOf, sessionOf } from "./room";
import { type Asked, takeStorage, takeWire, turn } from "./wire";

const SHAPE: Triple = [6, 4, 1];
const at = (x: number, y: number): number => x + SHAPE[0] * y;
const click = (x: number, y: number, positive = true) => ({ kind: "point" as const, voxel: [x, y, 0] as Triple, label: 1, positive });
const said = (): string => notices.value.map(({ message, remedy }) => `${message}; ${remedy}`).join("\n");

let kept: Map<string, string>;
let asked: Asked[];
let runs: [number, number, number][];
let status: number;

beforeEach(() => {
  kept = takeStorage();
  (globalThis as { location?: unknown }).location = { hash: "" };
  [runs, status, acceptAtOnce.value, notices.value, tool.value] = [[[at(1, 1), 3, 1]], 200, false, [], "point"];
  asked = takeWire(({ path, body }) => {
    if (path.endsWith("/preview")) return { status, json: { runs, effect: "e".repeat(64), quality: 0.9, engine: "balls", note: "", seconds: 0 } };
    if (path.endsWith("/accept")) {
      const count = (body!.prompts as unknown[]).length;
      const prompt_ids = Array.from({ length: count }, (_, n) => `p${n}`);
      return {
        json: { prompt_id: "p0", prompt_ids, revision: Number(body!.base_revision) + count, runs, quality: 0.9, engine: "balls", note: "", seconds: 0 },
      };
    }
    if (path.endsWith("/draft")) return { json: { revision: Number(body!.base_revision) + 1 } };
    return { json: { ...predictionOf("pr1"), prompts: [], in_force: [] } };
  });
});

afterEach(() => (acceptAtOnce.value = true));

function openCase(): CaseSession {
  const session = sessionOf(new Uint8Array(24), headerOf(SHAPE));
  attachQueue(session, session.draft.value!, "a1", 0, async () => undefined);
  attachRefiner(session, session.draft.value!, async () => undefined);
  session.sight.painted(performance.now() - LOOK_MS);
  return session;
}

function press(session: CaseSession, key: string, more: Partial<KeyboardEvent> = {}): boolean {
  const event = { key, code: key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, repeat: false, ...more };
  return pressKey(event as KeyboardEvent, {
    session,
    openDialog: () => undefined,
    leave: () => tell("info", "left"),
  });
}

const paths = (end: string): Asked[] => asked.filter(({ path }) => path.endsWith(end));

test("a prompt is shown and changes nothing; Enter saves all of it as one step of undo", async () => {
  const session = openCase();
  give(session, click(1, 1));
  await turn();
  give(session, click(5, 3));
  await turn();
  const draft = session.draft.value!;
  expect([draft.mask.some(Boolean), draft.revision.value, paths("/draft").length]).toEqual([false, 0, 0]);
  expect(press(session, "Enter")).toBe(true);
  await turn();
  expect([paths("/accept").length, paths("/submit").length, draft.revision.value]).toEqual([1, 0, 2]);
  expect([...draft.mask.subarray(at(1, 1), at(4, 1))]).toEqual([1, 1, 1]);
  expect([draft.prompts.inForce.value.length, session.change.value]).toEqual([2, "+3.0 mm² one; 3 voxels change"]);
  step(session, "undo");
  expect([draft.mask.some(Boolean), draft.prompts.inForce.value.length, draft.canUndo.value]).toEqual([false, 0, false]);
});

test("a held Enter accepts and does not submit, nor does a second one before the result was looked at", async () => {
  const session = openCase();
  give(session, click(1, 1));
  await turn();
  press(session, "Enter");
  press(session, "Enter", { repeat: true });
  await turn();
  press(session, "Enter", { repeat: true });
  press(session, "Enter");
  await turn();
  expect(paths("/submit")).toEqual([]);
  expect(said()).toContain("The prompts were accepted only now");
});

test("a preview is neither submitted nor drawn over, and both say so", async () => {
  const session = openCase();
  give(session, click(1, 1));
  await turn();
  await submitSession(session);
  expect(said()).toContain("A preview is open, so nothing was submitted");
  tool.value = "brush";
  expect(beginDrag(paneOf(session), { x: 1, y: 1 }, { button: 0 } as PointerEvent)).toBe(null);
  removeGiven(session, "p0");
  expect([said().includes("so nothing was changed; Enter accepts it, Esc drops it"), paths("/submit").length]).toEqual([true, 0]);
  expect(session.previews!.open).toBe(true);
});

test("Esc drops the preview before it leaves the case, Ctrl + Z takes its last prompt back", async () => {
  const session = openCase();
  for (const x of [1, 5]) {
    give(session, click(x, 1));
    await turn();
  }
  press(session, "z", { ctrlKey: true, code: "KeyZ" });
  expect(session.previews!.prompts.value).toEqual([click(1, 1)]);
  press(session, "Escape");
  expect([session.previews!.open, said().includes("left"), session.draft.value!.mask.some(Boolean)]).toEqual([false, false, false]);
  press(session, "Escape");
  expect(said()).toContain("left");
});

test("a click that says what is shown accepts it, any other one refines it", async () => {
  const session = openCase();
  give(session, click(1, 1));
  await turn();
  give(session, click(5, 3));
  await turn();
  expect([paths("/preview").length, paths("/accept").length]).toEqual([2, 0]);
  give(session, click(2, 1, false));
  await turn();
  expect([paths("/preview").length, paths("/accept").length]).toEqual([3, 0]);
  give(session, click(3, 1));
  await turn();
  expect([paths("/accept").length, session.effort.report(1000, true).prompts]).toEqual([1, 3]);
});

test("nothing is accepted by leaving, and a page that was closed says it at the next visit", async () => {
  const session = openCase();
  give(session, click(1, 1));
  await turn();
  expect(kept.get("medloop.preview.a1")).toBe("1");
  openCase(); // a new load of the page
  expect(said()).toContain("A preview of 1 prompt was open when this case was left; it was not accepted and is gone");
  leavePreview(session);
  expect(said()).toContain("was not accepted, so it is dropped");
  expect([paths("/accept").length, paths("/draft").length]).toEqual([0, 0]);
});

test("a preview that changes nothing says so, as does a prompt that is saved at once", async () => {
  runs = [];
  acceptAtOnce.value = true;
  const answer = { prompt_id: "p0", prompt_ids: ["p0"], revision: 1, runs: [], quality: null, engine: "balls", note: "", seconds: 0 };
  takeWire(() => ({ json: answer }));
  const session = openCase();
  give(session, click(1, 1));
  await session.refiner!.settled();
  expect(said()).toContain("No change");
});

test("a hidden proposal comes with the first edit, beside the draft and not into it", async () => {
  const session = sessionOf(new Uint8Array(24), headerOf(SHAPE), projectOf(), { proposal_hidden: true });
  globalThis.fetch = async (path) => {
    if (/mask$|uncertainty$/.test(String(path))) return new Response(new Uint8Array(24).fill(1));
    return new Response(JSON.stringify(predictionOf("pr1")));
  };
  const stop = revealProposal(session);
  await turn();
  expect(session.proposal.value).toBe(null);
  session.effort.did("strokes", 1000);
  session.draft.value!.revision.value = 1;
  await turn();
  expect([session.proposalHidden.value, session.proposal.value!.every((value) => value === 1)]).toEqual([false, true]);
  expect([session.draft.value!.mask.some(Boolean), proposalShown.value]).toEqual([false, true]);
  session.effort.did("strokes", 2000);
  expect(session.effort.report(3000, true).proposal).toBe("hidden");
  stop();
  proposalShown.value = false;
});

test("a proposal is taken, rejected and compared, each of the first two as one step of undo", () => {
  const session = openCase();
  const draft = session.draft.value!;
  takeProposal(session);
  expect(said()).toContain("There is no proposal");
  session.proposal.value = new Uint8Array(24).fill(2);
  takeProposal(session);
  expect(draft.mask.every((value) => value === 2)).toBe(true);
  rejectProposal(session);
  expect(draft.mask.some(Boolean)).toBe(false);
  draft.undo();
  expect(draft.mask.every((value) => value === 2)).toBe(true);
  compareProposal();
  expect([outlined.value, proposalShown.value]).toEqual([true, true]);
  compareProposal();
  expect([outlined.value, proposalShown.value]).toEqual([false, false]);
});

test("the strip says place, what is left and the verdict, or what is missing for one", () => {
  const outlook: CaseOutlook = { round: 2, place: 3, cases: 15, left: 12, verdict: "likely good", expected: 0.82, low: 0.71, high: 0.9, lacking: "" };
  expect(outlookText(outlook)).toBe("Case 3 of 15 · 12 left in this round · likely good (0.82, 0.71–0.90)");
  const unknown = { ...outlook, verdict: "", expected: null, low: null, high: null, lacking: "cannot be judged yet: 5 more evaluated patients" };
  expect(outlookText(unknown)).toBe("Case 3 of 15 · 12 left in this round · cannot be judged yet: 5 more evaluated patients");
  expect(outlookText({ ...unknown, round: null, lacking: "" })).toBe("");
});

test("a click on what the preview leaves as it stands is a further prompt, no yes", async () => {
  const session = openCase();
  session.draft.value!.mask[at(2, 1)] = 1;
  give(session, click(1, 1));
  await turn();
  give(session, click(2, 1));
  await turn();
  expect([session.previews!.prompts.value.length, asked.some(({ path }) => path.endsWith("/accept"))]).toEqual([2, false]);
  give(session, click(3, 1));
  await turn();
  expect(asked.some(({ path }) => path.endsWith("/accept"))).toBe(true);
});
