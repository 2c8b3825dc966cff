import { describe, expect, test, vi } from "vitest";
import type { Label } from "../src/api/types";
import { Draft } from "../src/edits/draft";
import { lockedLabels, mayChange } from "../src/edits/locks";
import { aloneIn, groundOf, innerOf, landOf, outerOf } from "../src/edits/nested";
import { difference, Recorder } from "../src/edits/runs";
import { accept, chooseVariant, operate } from "../src/state/operations";
import { mayErase } from "../src/state/painting";
import { headerOf, projectOf, sessionOf } from "./room";

const [BODY, LIVER, TUMOUR] = [1, 2, 3];
const LABELS: Label[] = [
  { value: BODY, name: "body", colour: "#000000", inside: null },
  { value: LIVER, name: "liver", colour: "#000000", inside: BODY },
  { value: TUMOUR, name: "tumour", colour: "#000000", inside: LIVER },
];
const room = (mask: number[], active: number) => {
  const session = sessionOf(Uint8Array.from(mask), headerOf([mask.length, 1, 1]), { ...projectOf(), labels: LABELS });
  session.label.value = active;
  return { session, draft: session.draft.value! };
};

describe("labels inside labels", () => {
  test("are found at any depth", () => {
    expect([...innerOf(LABELS, BODY)].sort()).toEqual([LIVER, TUMOUR]);
    expect([...innerOf(LABELS, TUMOUR)]).toEqual([]);
    expect([TUMOUR, LIVER, BODY].map((value) => outerOf(LABELS, value))).toEqual([LIVER, BODY, 0]);
  });

  test("stay when the label around them is drawn, also by an engine", () => {
    const { session } = room([0, 1, 2, 3], LIVER);
    const may = mayChange(session.locks);
    expect([0, 1, 2, 3].map((from) => may(from, LIVER))).toEqual([true, true, true, false]);
    expect(lockedLabels(session.locks, LABELS)).toEqual([TUMOUR]);
  });

  test("leave the label around them when they are erased, and take what is inside them along", () => {
    const { session } = room([0, 1, 2, 3], LIVER);
    const may = mayErase(session);
    expect([0, 1, 2, 3].map((from) => may(from, 0, 0))).toEqual([false, false, true, true]);
    expect([0, 1, 2, 3].map(groundOf(LABELS, LIVER))).toEqual([0, 0, BODY, BODY]);
    expect([0, 1, 2, 3].map(groundOf(LABELS, TUMOUR))).toEqual([0, 0, 0, LIVER]);
    expect([0, 1, 2, 3].map(groundOf(LABELS, BODY))).toEqual([0, 0, 0, 0]);
  });

  test("leave it in one patch and one step of undo, whatever tool took them away", () => {
    const { session, draft } = room([2, 3, 3, 2, 0], TUMOUR);
    const cleared = draft.mask.slice();
    cleared[1] = 0;
    const edit = difference(draft.mask, cleared);
    draft.mask.set(cleared);
    draft.commit(edit);
    expect([...draft.mask]).toEqual([2, 2, 3, 2, 0]);
    expect(draft.counts.of(LIVER)).toBe(3);
    expect(draft.undo()).toBe(true);
    expect([...draft.mask]).toEqual([2, 3, 3, 2, 0]);
    expect(session.draft.value).toBe(draft);
  });

  test("go with the label around them where an operation takes it away, unless they are locked", async () => {
    const cleared = async (mask: number[], active: number, locked: number[] = []): Promise<number[]> => {
      const { session, draft } = room(mask, active);
      session.segments.locked.value = new Set(locked);
      chooseVariant("clear", "label");
      operate(session, "clear");
      await vi.waitFor(() => expect(session.editing.preview.value).not.toBeNull());
      accept(session);
      return [...draft.mask];
    };
    expect(await cleared([0, 1, 2, 3, 3, 1], LIVER)).toEqual([0, 1, 1, 1, 1, 1]);
    expect(await cleared([0, 1, 2, 3, 3, 1], BODY)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(await cleared([0, 1, 2, 3, 3, 1], TUMOUR)).toEqual([0, 1, 2, 2, 2, 1]);
    expect(await cleared([0, 1, 2, 3, 3, 1], LIVER, [TUMOUR])).toEqual([0, 1, 1, 3, 3, 1]);
  });

  test("are no holes of the label around them for what goes by its form", () => {
    expect([...aloneIn(Uint8Array.from([0, 1, 2, 3]), LABELS, LIVER)]).toEqual([0, 1, 2, 2]);
    expect(room([0, 1, 2, 3], LIVER).session.hasLabel(TUMOUR)).toBe(true);
  });

  test("change nothing where no label lies inside another", () => {
    const plain = LABELS.map((label) => ({ ...label, inside: null }));
    const draft = new Draft(Uint8Array.from([3, 2]), { locked: () => new Set(), refused: () => undefined, land: () => landOf(plain, TUMOUR) });
    const edit = difference(draft.mask, new Uint8Array(2));
    draft.mask.fill(0);
    draft.commit(edit);
    expect([...draft.mask]).toEqual([0, 0]);
  });

  test("leave a label that overlaps one inside the label that is erased, however often the eraser comes by, and undo is exact", () => {
    const project = projectOf();
    const [one, two, three] = project.labels as [Label, Label, Label];
    project.labels = [
      { ...one, drawn: { 2: 2, 3: 4, 4: 4, 5: 5 }, left: { 1: 0, 2: 0, 4: 3, 5: 3 } },
      { ...two, inside: 1, overlaps: [3], drawn: { 3: 5, 4: 5, 5: 5 }, left: { 2: 1, 5: 4 } },
      { ...three, overlaps: [2], drawn: { 1: 4, 2: 5, 4: 4, 5: 5 }, left: { 3: 0, 4: 1, 5: 2 } },
    ];
    const session = sessionOf(new Uint8Array(81), headerOf([9, 9, 1]), project);
    const draft = new Draft(Uint8Array.from([0, 1, 2, 3, 4, 5]), session.guard);
    const recorder = new Recorder(draft.mask, 0, mayErase(session), session.land);
    for (const index of [0, 1, 2, 3, 4, 5, 5, 4, 3]) recorder.paint(index);
    draft.commit(recorder.edit());
    expect([...draft.mask]).toEqual([0, 0, 0, 3, 3, 3]);
    draft.undo();
    expect([...draft.mask]).toEqual([0, 1, 2, 3, 4, 5]);
    draft.redo();
    expect([0, 1, 2, 3, 4, 5].map((value) => draft.counts.of(value))).toEqual([3, 0, 0, 3, 0, 0]);
  });
});
