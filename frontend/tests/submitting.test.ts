import { beforeEach, describe, expect, test } from "vitest";
import { rename } from "../src/api/person";
import { brushRadiusMm, oneKeyAnnotates, tool } from "../src/state/display";
import { keepEffort } from "../src/state/effort";
import { feedback } from "../src/state/gold";
import { dismissPassing, notices } from "../src/state/notices";
import { attachRefiner, give } from "../src/state/refining";
import { route } from "../src/state/router";
import type { CaseSession, OpenDrag } from "../src/state/session";
import { LOOK_MS } from "../src/state/sight";
import { closeWithout, submitSession, undoSubmission } from "../src/state/submitting";
import { pressKey } from "../src/tools/keys";
import { beginDrag } from "../src/tools/pointer";
import { headerOf, paneOf, projectOf, sessionOf } from "./room";
import { planeOf } from "./scene";
import { type Asked, type Reply, takeStorage, takeWire, turn } from "./wire";

const SHAPE = [9, 9, 1] as [number, number, number];
let asked: Asked[];
let reply: (asked: Asked) => Reply;
let left: number;

beforeEach(() => {
  (globalThis as { location?: unknown }).location = { hash: "" };
  reply = ({ path }) => ({ json: path.endsWith("/undo") ? { id: "a2" } : { annotation_id: "n1", next: true } });
  asked = takeWire((one) => reply(one));
  left = 0;
  [tool.value, oneKeyAnnotates.value, brushRadiusMm.value] = ["brush", false, 1];
  dismissPassing();
});

function opened(more: Parameters<typeof sessionOf>[3] = {}): CaseSession {
  const mask = new Uint8Array(81);
  mask[40] = 1;
  return sessionOf(mask, headerOf(SHAPE), projectOf(), more);
}

const seen = (session: CaseSession): CaseSession => {
  session.sight.painted(performance.now() - LOOK_MS);
  return session;
};

function press(session: CaseSession, key: string, more: Partial<KeyboardEvent> = {}): boolean {
  const event = { key, code: "", repeat: false, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more } as KeyboardEvent;
  return pressKey(event, { session, openDialog: () => undefined, leave: () => void left++ });
}

const verbs = (): string[] => asked.map(({ path }) => path.split("/").at(-1)!).filter((verb) => ["submit", "skip", "flag", "undo"].includes(verb));
const words = (): string => notices.value.map(({ message }) => message).join();

describe("slices of one's own choice", () => {
  const volume = (): CaseSession => {
    const mask = new Uint8Array(243);
    mask[121] = 1;
    return seen(sessionOf(mask, headerOf([9, 9, 3], { planes: [planeOf(2, 0, 1, false, false), planeOf(1, 0, 2, false, false)] }), projectOf()));
  };
  const choose = (session: CaseSession, slice: number): void => {
    session.crosshair.value = [4, 4, slice];
    press(session, "j", { altKey: true });
  };

  test("are all that a submission keeps, also after the page was loaded again", async () => {
    takeStorage();
    choose(volume(), 1);
    const again = volume();
    expect(again.parts.value).toEqual([{ axis: 2, index: 1 }]);
    choose(again, 2);
    choose(again, 1);
    expect([again.choseParts, again.isQueried(0, 2), again.isQueried(0, 1)]).toEqual([true, true, false]);
    await submitSession(again);
    expect(asked.find(({ path }) => path.endsWith("/submit"))!.body!.parts).toEqual([{ axis: 2, index: 2 }]);
  });

  test("are none in a picture, nor of a case that evaluates", () => {
    takeStorage();
    const picture = seen(opened());
    choose(picture, 0);
    expect(picture.parts.value).toEqual([]);
    expect(words()).toContain("a picture is one slice: draw a box first");
    picture.advice.region.value = { start: [1, 1, 0], stop: [4, 4, 1] };
    choose(picture, 0);
    expect(picture.parts.value).toEqual([{ start: [1, 1, 0], stop: [4, 4, 1] }]);
    takeStorage();
    const judged = volume();
    judged.opened.assignment.evaluation = true;
    choose(judged, 1);
    expect(judged.parts.value).toEqual([]);
  });
});

describe("submitting", () => {
  test("opens a case again whose assignment was released meanwhile", async () => {
    const message = "This assignment is released, not open";
    reply = () => ({ status: 409, json: { error: { code: "wrong_state", message, remedy: "open the case again; your draft is kept" } } });
    const session = seen(opened());
    press(session, "Enter");
    await turn();
    expect([verbs(), location.hash]).toEqual([["submit"], `#/p/${session.project.id}/case/${session.header.id}`]);
    expect(words()).toContain("released");
  });

  test("is refused with a word before the case was drawn for a moment", async () => {
    const session = opened();
    press(session, "Enter");
    session.sight.painted(performance.now());
    press(session, "Enter");
    await turn();
    expect(verbs()).toEqual([]);
    expect(words()).toContain("nothing was submitted");
  });

  test("begins the moment again when the window was away", () => {
    const { sight } = opened();
    sight.painted(0);
    sight.hidden(100);
    expect(sight.isOver(5000)).toBe(false);
    sight.back(5000);
    expect([sight.isOver(5000 + LOOK_MS - 1), sight.isOver(5000 + LOOK_MS)]).toEqual([false, true]);
  });

  test("gets nowhere with a key that is repeated without saying so", () => {
    const { sight } = opened();
    sight.painted(0);
    let now = 30;
    for (; now < 3000; now += 30) {
      expect(sight.isOver(now)).toBe(false);
      sight.tooEarly(now);
    }
    expect([sight.isOver(now + LOOK_MS / 4), sight.isOver(now + LOOK_MS)]).toEqual([false, true]);
  });

  test("of a gold case shows what came of it before the next case, and offers no undo", async () => {
    const found = { case: "a", score: 0.5, by_label: { liver: 0.5 }, given: "", truth: "", mean: null, tutorial: null, instructions: "", note: "" };
    reply = ({ path }) => ({ json: path.endsWith("/feedback") ? found : { annotation_id: "n1", next: true, gold: true } });
    const session = seen(opened());
    void submitSession(session);
    await turn();
    expect(feedback.value?.found.score).toBe(0.5);
    expect(feedback.value?.picture).toContain("/feedback/picture");
    expect(session.closed).toBe(false);
    feedback.value!.goOn();
    await turn();
    expect([session.closed, feedback.value]).toEqual([true, null]);
    expect(words()).not.toContain("Annotated");
  });

  test("answers a key once, however long it is held", async () => {
    const session = seen(opened());
    for (let n = 0; n < 5; n++) press(session, "Enter", { repeat: true });
    await turn();
    expect(verbs()).toEqual([]);
    press(session, "Enter");
    press(session, "Enter");
    await turn();
    expect(verbs()).toEqual(["submit"]);
  });

  test("of what another window submitted is refused, and no answer of this window was lost", async () => {
    reply = () => ({ status: 409, json: { error: { code: "wrong_state", message: "This assignment is submitted, not open", remedy: "open it again" } } });
    const session = seen(opened());
    await submitSession(session);
    expect([session.closed, words()]).toEqual([false, "This assignment is submitted, not open"]);
    notices.value = [];
  });

  test("waits for a name that is being moved, and stays where that failed", async () => {
    const session = seen(opened());
    let moved = (_: boolean): void => undefined;
    session.placing = new Promise<boolean>((resolve) => (moved = resolve)).then((done) => void (done || session.refusals++));
    const submitted = submitSession(session);
    await turn();
    expect(verbs()).toEqual([]);
    moved(false);
    await submitted;
    expect([verbs(), session.closed, words()]).toEqual([[], false, "A name was not moved, so the case is still open"]);
    session.placing = Promise.resolve();
    await submitSession(session);
    expect(verbs()).toEqual(["submit"]);
  });

  test("of a case that is closed already, while the next one is on its way, does nothing", async () => {
    const session = seen(opened());
    await submitSession(session);
    press(session, "Enter");
    press(session, "s");
    await closeWithout(session, "flag", "why");
    expect([verbs(), beginDrag(paneOf(session), { x: 1, y: 1 }, { button: 0 } as PointerEvent)]).toEqual([["submit"], null]);
  });

  test("of a class by one key needs a look and a new press, and leaves nothing chosen otherwise", async () => {
    oneKeyAnnotates.value = true;
    const session = sessionOf(null, headerOf(SHAPE), projectOf("classification"));
    press(session, "1", { code: "Digit1" });
    press(seen(session), "1", { code: "Digit1", repeat: true });
    await turn();
    expect([verbs(), session.tag.value]).toEqual([[], null]);
    press(session, "1", { code: "Digit1" });
    await turn();
    expect([verbs(), asked[0]!.body!.tag]).toEqual([["submit"], 1]);
  });

  test("finishes the stroke first", async () => {
    const session = seen(opened());
    stroke(session);
    press(session, "Enter");
    await turn();
    expect([session.drag, session.draft.value!.canUndo.value, verbs()]).toEqual([null, true, ["submit"]]);
  });

  test("waits for a new press while the answer to a gesture is out, because nobody has seen it", async () => {
    const session = seen(opened());
    session.queue = { flushed: async () => undefined, revision: 0, pending: 0, close: () => undefined } as never;
    attachRefiner(session, session.draft.value!, async () => undefined);
    reply = ({ path }) => (path.endsWith("/prompts") ? { status: 422, json: { error: { code: "input", message: "No", remedy: "" } } } : { json: {} });
    give(session, { kind: "point", voxel: [1, 1, 0], label: 1, positive: true });
    press(session, "Enter");
    expect(words()).toContain("still being computed, so nothing was submitted");
    await turn();
    expect([verbs(), session.refining.value]).toEqual([[], false]);
    press(session, "Enter");
    await turn();
    expect(verbs()).toEqual(["submit"]);
  });

  test("says which labels were on the screen, so that one added since is not spoken of", async () => {
    const session = seen(opened());
    session.project.task_version = 7;
    await submitSession(session);
    expect(asked[0]!.body!.task_version).toBe(7);
    const tagged = seen(sessionOf(null, headerOf(SHAPE), { ...projectOf("classification"), task_version: 8 }));
    tagged.tag.value = 2;
    await submitSession(tagged);
    expect([asked.at(-1)!.body!.tag, asked.at(-1)!.body!.task_version]).toEqual([2, 8]);
  });

  test("whose answer was lost is believed only where the case was submitted, not where it was closed in another way", async () => {
    for (const [state, closed] of [
      ["submitted", true],
      ["skipped", false],
    ] as const) {
      const session = seen(opened());
      asked.length = 0;
      reply = () =>
        asked.length === 1
          ? { status: 503, json: {} }
          : { status: 409, json: { error: { code: "wrong_state", message: `This assignment is ${state}, not open`, remedy: "open the case again" } } };
      await submitSession(session);
      expect([session.closed, words().includes("not open")]).toEqual([closed, !closed]);
    }
  });

  test("says that it replaces only what it does replace: two people's annotations stand side by side", async () => {
    const by = (annotator: string, origin: "human" | "imported" = "human") => ({ annotation_id: "n0", annotator, origin, at: "2026-11-03T10:00:00Z" });
    const said: string[] = [];
    for (const more of [
      { standing: by("Ada") },
      { standing: by("local") },
      { standing: by("imported", "imported") },
      { standing: by("Ada"), evaluation: true },
      {},
    ]) {
      dismissPassing();
      notices.value = [];
      await submitSession(seen(opened(more)));
      said.push(words());
    }
    const replaced = "Annotated case_012, in place of the annotation before";
    expect(said).toEqual(["Annotated case_012, beside another annotation", replaced, replaced, replaced, "Annotated case_012"]);
  });

  test("is not taken back from another project", async () => {
    await submitSession(seen(opened()));
    route.value = { view: "worklist", query: "", project: "p2" };
    await undoSubmission();
    route.value = { view: "projects" };
    expect(verbs()).toEqual(["submit"]);
  });

  test("is not taken back under another name", async () => {
    await submitSession(seen(opened()));
    rename("Ada");
    await undoSubmission();
    rename("local");
    expect([verbs(), words()]).toEqual([["submit"], expect.stringContaining("No submission of this visit")]);
  });

  test("is refused with half of the outermost points clicked", async () => {
    const session = seen(opened());
    session.drawing.value = { kind: "extreme_points", voxels: [[1, 1, 0]], label: 1 };
    press(session, "Enter");
    await turn();
    expect([verbs(), session.drawing.value]).toEqual([[], expect.anything()]);
  });

  test("of another's evaluation annotation asks, and says so when it was asked", async () => {
    const session = seen(opened());
    reply = ({ body }) =>
      body!.replace ? { json: {} } : { status: 409, json: { error: { code: "replaces_annotation", message: "By Ada, 3 Nov", remedy: "" } } };
    press(session, "Enter");
    await turn();
    expect([session.replacing.value, session.closed]).toEqual(["By Ada, 3 Nov", false]);
    press(session, "Enter");
    await turn();
    expect(asked).toHaveLength(1);
    session.replacing.value = null;
    await submitSession(session, true);
    expect([asked[1]!.body!.replace, session.closed]).toEqual([true, true]);
  });

  test("offers to take it back, once", async () => {
    const session = seen(opened());
    await submitSession(session);
    const toast = notices.value.find(({ action }) => action)!;
    expect([toast.message, toast.action!.name]).toEqual(["Annotated case_012", "Undo"]);
    toast.action!.act();
    toast.action!.act();
    await turn();
    await undoSubmission();
    expect(asked.map(({ method, path }) => `${method} ${path}`).slice(1)).toEqual(["POST /api/v1/projects/p1/assignments/a1/undo"]);
    expect(location.hash).toBe("#/p/p1/case/c1");
  });

  test("sends what the work took, and keeps nothing of it", async () => {
    const kept = takeStorage();
    const session = seen(opened());
    keepEffort(session);
    expect([...kept.keys()]).toHaveLength(1);
    await submitSession(session);
    expect(asked[0]!.body!.effort).toMatchObject({ strokes: 0, prompts: 0, undos: 0, slices_viewed: 0 });
    expect([...kept.keys()]).toEqual([]);
  });
});

/** A press of the brush that is still down. */
function stroke(session: CaseSession): void {
  const gesture = beginDrag(paneOf(session), { x: 2, y: 2 }, { button: 0, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false } as PointerEvent)!;
  const drop = (end: "end" | "cancel") => (): void => {
    session.drag = null;
    gesture[end]();
  };
  session.drag = { draws: true, finish: drop("end"), abandon: drop("cancel") } satisfies OpenDrag;
}

describe("a key during a stroke", () => {
  test("Esc cancels the stroke and stays", () => {
    const session = seen(opened());
    stroke(session);
    press(session, "Escape");
    expect([left, session.draft.value!.mask[20], session.draft.value!.canUndo.value]).toEqual([0, 0, false]);
    press(session, "Escape");
    expect(left).toBe(1);
  });

  test("undo takes back this stroke, not the one before", () => {
    const session = seen(opened());
    stroke(session);
    session.drag!.finish();
    stroke(session);
    press(session, "z", { ctrlKey: true });
    expect([session.draft.value!.mask[20], session.draft.value!.canUndo.value]).toEqual([1, true]);
  });

  test.each(["s", "g", "ArrowDown", "j", "1"])("%s finishes it first", (key) => {
    const session = seen(opened());
    stroke(session);
    press(session, key);
    expect([session.drag, session.draft.value!.canUndo.value]).toEqual([null, true]);
  });

  test("skipping and leaving the case keep it", async () => {
    for (const end of [(s: CaseSession) => closeWithout(s, "skip", "why"), async (s: CaseSession) => s.close()]) {
      const session = seen(opened());
      stroke(session);
      await end(session);
      expect([session.drag, session.draft.value!.mask[20]]).toEqual([null, 1]);
    }
  });
});

describe("held keys", () => {
  test.each(["Enter", "s", "g", "j", "f", "Delete", "Backspace", "n", "k", "q", "y", "Escape"])("%s does nothing more", (key) => {
    const session = seen(opened());
    expect(press(session, key, { repeat: true })).toBe(false);
    expect(press(session, "z", { repeat: true, ctrlKey: true })).toBe(false);
    expect([left, asked.length]).toEqual([0, 0]);
  });

  test("that only move the view go on", () => {
    const session = sessionOf(new Uint8Array(81 * 5), headerOf([9, 9, 5]));
    const before = session.crosshair.value[2];
    press(session, "ArrowDown", { repeat: true });
    expect(session.crosshair.value[2]).not.toBe(before);
  });
});

describe("keys under other scripts", () => {
  test.each([
    ["и", "KeyB", "brush"],
    ["у", "KeyE", "eraser"],
    ["ب", "KeyF", "fill"],
    ["Dead", "KeyV", "navigate"],
  ])("%s at %s takes the %3$s", (key, code, hand) => {
    press(seen(opened()), key, { code });
    expect(tool.value).toBe(hand);
  });

  test("a Latin layout goes by what is written on the key", () => {
    press(seen(opened()), "b", { code: "KeyN" });
    expect(tool.value).toBe("brush");
  });
});
