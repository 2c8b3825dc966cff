import { describe, expect, test } from "vitest";
import type { Label } from "../src/api/types";
import { lockedLabels, mayChange } from "../src/edits/locks";
import { aloneIn, innerOf, landOf, membersOf } from "../src/edits/nested";
import { permitted } from "../src/edits/permitted";
import { Recorder } from "../src/edits/runs";
import { composed } from "../src/operations/fusing";
import { keepOthers } from "../src/state/display";
import { pickLabel } from "../src/state/labelling";
import { mayErase, mayPaint } from "../src/state/painting";
import { surfacesOf } from "../src/volume/surfaces";
import { headerOf, projectOf, sessionOf } from "./room";

const [VESSEL, TUMOUR, RIB, BOTH] = [1, 2, 3, 4];
/** As the server says it: vessel and tumour overlap, the rib overlaps nothing. */
const LABELS: Label[] = [
  { value: VESSEL, name: "vessel", colour: "#ff0000", overlaps: [TUMOUR], drawn: { 2: BOTH, 4: BOTH }, left: { 1: 0, 4: TUMOUR } },
  { value: TUMOUR, name: "tumour", colour: "#0000ff", overlaps: [VESSEL], drawn: { 1: BOTH, 4: BOTH }, left: { 2: 0, 4: VESSEL } },
  { value: RIB, name: "rib", colour: "#00ff00", overlaps: [], drawn: {}, left: { 3: 0 } },
];
const ALL = [0, VESSEL, TUMOUR, RIB, BOTH];
const room = (mask: number[], active: number) => {
  const shared = [{ value: BOTH, name: "vessel + tumour", colour: "#800080" }];
  const session = sessionOf(Uint8Array.from(mask), headerOf([mask.length, 1, 1]), { ...projectOf(), labels: LABELS, shared });
  session.label.value = active;
  return { session, draft: session.draft.value! };
};
const stroke = ({ session, draft }: ReturnType<typeof room>, erases: boolean): number[] => {
  const recorder = new Recorder(draft.mask, erases ? 0 : session.label.value, erases ? mayErase(session) : mayPaint(session), session.land);
  for (const again of [0, 1]) draft.mask.forEach((_, voxel) => again >= 0 && recorder.paint(voxel));
  draft.commit(recorder.edit());
  return [...draft.mask];
};

describe("labels that overlap", () => {
  test("are seen by all their voxels", () => {
    expect([...innerOf(LABELS, VESSEL)]).toEqual([BOTH]);
    expect(ALL.map((value) => membersOf(LABELS, value))).toEqual([[], [VESSEL], [TUMOUR], [RIB], [VESSEL, TUMOUR]]);
    expect([...aloneIn(Uint8Array.from(ALL), LABELS, TUMOUR)]).toEqual([0, VESSEL, TUMOUR, RIB, TUMOUR]);
  });

  test("share what is drawn over the other, and one step of undo takes it back", () => {
    const drawn = room(ALL, VESSEL);
    expect(stroke(drawn, false)).toEqual([VESSEL, VESSEL, BOTH, VESSEL, BOTH]);
    expect(drawn.draft.counts.of(BOTH)).toBe(2);
    expect(drawn.draft.undo()).toBe(true);
    expect([...drawn.draft.mask]).toEqual(ALL);
    expect(drawn.draft.redo()).toBe(true);
    expect([...drawn.draft.mask]).toEqual([VESSEL, VESSEL, BOTH, VESSEL, BOTH]);
  });

  test("leave the other one where they are erased", () => {
    expect(stroke(room(ALL, VESSEL), true)).toEqual([0, 0, TUMOUR, RIB, TUMOUR]);
    expect(stroke(room(ALL, RIB), true)).toEqual([0, 0, 0, 0, 0]);
  });

  test("do so by every tool that only says the label or nothing", () => {
    const { session, draft } = room([2, 4, 4], VESSEL);
    const edit = permitted(
      draft.mask,
      [
        [0, 1, VESSEL],
        [1, 1, 0],
      ],
      mayPaint(session),
      new Set(),
      session.land,
    );
    expect(edit.forward).toEqual([
      [0, 1, BOTH],
      [1, 1, TUMOUR],
    ]);
  });

  test("join a locked label, which keeps its voxels", () => {
    const { session } = room(ALL, VESSEL);
    session.toggleLock(TUMOUR);
    const may = mayChange(session.locks);
    expect(ALL.map((from) => may(from, VESSEL))).toEqual([true, true, true, true, false]);
    expect(may(TUMOUR, 0)).toBe(false);
    expect(may(BOTH, 0)).toBe(true);
    expect(mayChange({ ...session.locks, land: undefined })(BOTH, 0)).toBe(false);
    expect(lockedLabels(session.locks, session.labels)).toEqual([TUMOUR]);
    session.toggleLock(TUMOUR);
    keepOthers.value = true;
    expect(ALL.map((from) => mayChange(session.locks)(from, VESSEL))).toEqual([true, true, true, false, false]);
    keepOthers.value = false;
  });

  test("let an answer through that leaves a locked label its voxels", () => {
    const { session, draft } = room([2, 4, 4], VESSEL);
    session.toggleLock(TUMOUR);
    draft.accept(
      [
        [0, 1, BOTH],
        [1, 1, VESSEL],
        [2, 1, TUMOUR],
      ],
      1,
      {},
    );
    expect([...draft.mask]).toEqual([BOTH, BOTH, TUMOUR]);
    session.toggleLock(TUMOUR);
  });

  test("are picked in turn where both stand, and painted while one of them is shown", () => {
    const { session } = room([4], RIB);
    pickLabel(session, [0, 0, 0]);
    expect(session.label.value).toBe(VESSEL);
    pickLabel(session, [0, 0, 0]);
    expect(session.label.value).toBe(TUMOUR);
    expect(session.paints.map(({ value }) => value)).toEqual([1, 2, 3, BOTH]);
    session.hidden.value = new Set([VESSEL]);
    expect([...session.unpainted]).toEqual([VESSEL]);
    session.hidden.value = new Set([VESSEL, TUMOUR]);
    expect([...session.unpainted]).toEqual([VESSEL, TUMOUR, BOTH]);
  });

  test("have one surface each, with the voxels of both", () => {
    const affine = [0, 1, 2, 3].map((row) => [0, 1, 2, 3].map((column) => (row === column ? 1 : 0)));
    const made = [...surfacesOf({ mask: Uint8Array.from([1, 4, 4, 2]), shape: [4, 1, 1], affine, shared: { [BOTH]: [VESSEL, TUMOUR] } })];
    expect(made.map(({ label }) => label)).toEqual([VESSEL, TUMOUR]);
    const reach = made.map(({ positions }) => positions.filter((_, n) => n % 3 === 0)).map((x) => [Math.round(Math.min(...x)), Math.round(Math.max(...x))]);
    expect(reach[0]![1]! - reach[0]![0]!).toBe(reach[1]![1]! - reach[1]![0]!);
    expect(reach[0]![0]!).toBeLessThan(reach[1]![0]!);
  });

  test("are ruled on one by one", () => {
    const rulings = [{ annotation_id: "a", label: VESSEL, box: null }];
    const found = composed(Uint8Array.from([2, 4, 1, 3]), rulings, () => Uint8Array.from([1, 2, 4, 4]), [4, 1, 1], LABELS);
    expect([...found]).toEqual([BOTH, TUMOUR, VESSEL, VESSEL]);
  });

  test("change nothing of a project in which none overlap", () => {
    expect(landOf([{ value: 1, name: "a", colour: "#000000" }], 1)(2, 1)).toBe(1);
  });
});
