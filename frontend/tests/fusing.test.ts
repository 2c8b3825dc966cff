/** Masks of several readers, small enough to be checked by hand. */
import { expect, test } from "vitest";
import { composed, differences, disagreement, type Ruling } from "../src/operations/fusing";

const ann = Uint8Array.of(1, 1, 0, 2);
const bob = Uint8Array.of(1, 0, 0, 2);
const eva = Uint8Array.of(1, 2, 0, 0);
const masks: Record<string, Uint8Array> = { ann, bob, eva };
const maskOf = (id: string): Uint8Array => masks[id]!;
const rule = (annotation_id: string, more: Partial<Ruling> = {}): Ruling => ({ annotation_id, label: null, box: null, ...more });

test("disagreement is the share of the others who differ from the most frequent label", () => {
  expect([...disagreement([ann, bob, eva])]).toEqual([0, 255, 0, 128]);
  expect([...disagreement([ann, bob])]).toEqual([0, 255, 0, 0]);
  expect([...disagreement([ann])]).toEqual([0, 0, 0, 0]);
  expect(disagreement([])).toHaveLength(0);
});

test("twelve equal readers and one who differs are a twelfth of the others", () => {
  const equal = Array.from({ length: 12 }, () => Uint8Array.of(1));
  expect([...disagreement([...equal, Uint8Array.of(0)])]).toEqual([Math.round(255 / 12)]);
});

test("rulings apply in order: a label of one reader, then what another one drew within a box", () => {
  const standing = Uint8Array.of(0, 1, 1, 0);
  expect([...composed(standing, [rule("bob", { label: 1 })], maskOf, [4, 1, 1])]).toEqual([1, 0, 0, 0]);
  const box = { start: [1, 0, 0], stop: [2, 1, 1] } as const;
  const within = rule("eva", { box: { start: [...box.start], stop: [...box.stop] } });
  expect([...composed(standing, [rule("bob", { label: 1 }), within], maskOf, [4, 1, 1])]).toEqual([1, 2, 0, 0]);
  expect([...composed(standing, [within, rule("ann", { label: 1 })], maskOf, [4, 1, 1])]).toEqual([1, 1, 0, 0]);
  expect([...standing]).toEqual([0, 1, 1, 0]);
});

test("a label's ruling overrules what lies there, and leaves other labels alone elsewhere", () => {
  expect([...composed(Uint8Array.of(2, 2, 1, 0), [rule("ann", { label: 1 })], maskOf, [4, 1, 1])]).toEqual([1, 1, 0, 0]);
});

test("a box of a volume holds its voxels only, along every axis", () => {
  const reading = { reading: new Uint8Array(24).fill(7) };
  const mask = composed(new Uint8Array(24), [rule("reading", { box: { start: [1, 0, 1], stop: [2, 2, 2] } })], (id) => reading[id as "reading"], [2, 3, 4]);
  expect([...mask].flatMap((value, voxel) => (value ? [voxel] : []))).toEqual([7, 9]);
});

test("what changes is counted label by label, equal labels are left out", () => {
  expect(differences(ann, eva)).toEqual([
    { label: 1, added: 0, removed: 1 },
    { label: 2, added: 1, removed: 1 },
  ]);
  expect(differences(ann, ann)).toEqual([]);
});
