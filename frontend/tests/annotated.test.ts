import { beforeEach, describe, expect, test } from "vitest";
import type { Label } from "../src/api/types";
import { Draft } from "../src/edits/draft";
import { annotateDrawn, annotatedText, toggleAnnotated } from "../src/state/annotated";
import { dismissPassing, notices } from "../src/state/notices";
import type { CaseSession } from "../src/state/session";
import { LOOK_MS } from "../src/state/sight";
import { submitSession } from "../src/state/submitting";
import { actionsOf } from "../src/tools/keys";
import { headerOf, projectOf, sessionOf } from "./room";
import { type Asked, takeWire, turn } from "./wire";

let asked: Asked[];
const here = (more: Parameters<typeof sessionOf>[3] = {}, kind: "segmentation" | "classification" = "segmentation"): CaseSession =>
  sessionOf(new Uint8Array(81).fill(1, 40, 41), headerOf([9, 9, 1]), projectOf(kind), more);
const sent = (verb: string): unknown[] => asked.filter(({ path }) => path.endsWith(verb)).map(({ body }) => body);
const words = (): string => notices.value.map(({ message }) => message).join();

beforeEach(() => {
  (globalThis as { location?: unknown }).location = { hash: "" };
  asked = takeWire(() => ({ json: { annotation_id: "n1", next: true, annotated: [] } }));
  dismissPassing();
});

describe("the labels that a draft annotates", () => {
  test("are those that the server remembers, and are told to it, in order, when one is switched", async () => {
    const session = here({ annotated: [1, 2] });
    expect([...session.annotated.value]).toEqual([1, 2]);
    toggleAnnotated(session, 2);
    toggleAnnotated(session, 3);
    await session.declared;
    expect(sent("/annotated")).toEqual([{ annotated: [1] }, { annotated: [1, 3] }]);
  });

  test("are at least one", async () => {
    const session = here({ annotated: [2] });
    toggleAnnotated(session, 2);
    await session.declared;
    expect([...session.annotated.value]).toEqual([2]);
    expect(words()).toContain("at least one label");
    expect(sent("/annotated")).toEqual([]);
  });

  test("gain what is drawn, and an eraser adds nothing", async () => {
    const session = here({ annotated: [1] });
    const draft = new Draft(new Uint8Array(81));
    draft.onDrawn = (runs) => annotateDrawn(session, runs);
    draft.commit({ forward: [[3, 2, 0]], inverse: [[3, 2, 1]] });
    expect([...session.annotated.value]).toEqual([1]);
    draft.commit({ forward: [[3, 2, 3]], inverse: [[3, 2, 0]] });
    await session.declared;
    expect(sent("/annotated")).toEqual([{ annotated: [1, 3] }]);
    expect(words()).toContain("three was drawn, so it is annotated here");
  });

  test("are those in hand where voxels of several labels are drawn, not the value that these share", async () => {
    const project = projectOf();
    const [one, two, three] = project.labels as [Label, Label, Label];
    project.labels = [
      { ...one, left: { 1: 0, 4: 2 }, drawn: { 2: 4 } },
      { ...two, left: { 2: 0, 4: 1 }, drawn: { 1: 4 } },
      { ...three, left: { 3: 0 } },
    ];
    project.shared = [{ value: 4, name: "one + two", colour: "#808000" }];
    const session = sessionOf(new Uint8Array(81), headerOf([9, 9, 1]), project, { annotated: [1] });
    annotateDrawn(session, [[3, 2, 4]]);
    expect([...session.annotated.value], "the first one is in hand").toEqual([1]);
    session.label.value = 2;
    annotateDrawn(session, [[3, 2, 4]]);
    await session.declared;
    expect(sent("/annotated")).toEqual([{ annotated: [1, 2] }]);
    expect(words()).toContain("two was drawn, so it is annotated here");
  });

  test("are said before Submit where they are not all", () => {
    const { labels } = here();
    expect(annotatedText(labels, new Set([1, 2, 3]))).toBe("");
    expect(annotatedText(labels, new Set([1, 2]))).toBe("Annotates one, two; three is not annotated");
    expect(annotatedText(labels, new Set([2]))).toBe("Annotates two; one, three are not annotated");
  });

  test("go with the submission", async () => {
    const session = here({ annotated: [1, 2] });
    session.sight.painted(performance.now() - LOOK_MS);
    await submitSession(session);
    await turn();
    expect(sent("/submit")).toEqual([expect.objectContaining({ annotated: [1, 2], revision: 0 })]);
  });

  test("must hold what was drawn, while what a model proposed stays the model's", async () => {
    const session = here({ annotated: [2] });
    session.sight.painted(performance.now() - LOOK_MS);
    await submitSession(session);
    await turn();
    expect(sent("/submit")).toEqual([]);
    expect(words()).toContain("“one” was drawn and is called not annotated");
    session.proposal.value = session.draft.value!.mask.slice();
    await submitSession(session);
    await turn();
    expect(sent("/submit")).toHaveLength(1);
  });

  test("but the queried one are locked, until one is unlocked by hand", () => {
    const session = here({ queried_label: 2 });
    expect(session.label.value).toBe(2);
    expect([...session.locked.value]).toEqual([1, 3]);
    expect([...session.guard.locked()]).toEqual([1, 3]);
    session.toggleLock(1);
    expect([...session.locked.value]).toEqual([3]);
    expect([...session.segments.locked.value]).toEqual([]);
  });

  test("are no choice in a classification", async () => {
    const session = here({}, "classification");
    toggleAnnotated(session, 1);
    await session.declared;
    expect(sent("/annotated")).toEqual([]);
    expect(actionsOf(session).some(({ id }) => id === "annotated")).toBe(false);
  });
});
