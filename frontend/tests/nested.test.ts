import { describe, expect, test } from "vitest";
import type { Label } from "../src/api/types";
import { Draft } from "../src/edits/draft";
import { lockedLabels, mayChange } from "../src/edits/locks";
import { groundOf, innerOf, landOf, outerOf } from "../src/edits/nested";
import { difference } from "../src/edits/runs";
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

  test("change nothing where no label lies inside another", () => {
    const plain = LABELS.map((label) => ({ ...label, inside: null }));
    const draft = new Draft(Uint8Array.from([3, 2]), { locked: () => new Set(), refused: () => undefined, land: () => landOf(plain, TUMOUR) });
    const edit = difference(draft.mask, new Uint8Array(2));
    draft.mask.fill(0);
    draft.commit(edit);
    expect([...draft.mask]).toEqual([0, 0]);
  });
});
