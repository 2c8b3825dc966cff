/** The part of a list of wanted changes that may be made, as an edit of the mask as it stands. */
import type { Run } from "../api/types";
import type { MayPaint } from "./locks";
import type { Land } from "./nested";
import { type Edit, extend } from "./runs";

/** `kept` receives the labels that stood where nothing may change. */
export function permitted(mask: Uint8Array, wanted: readonly Run[], may: MayPaint, kept: Set<number>, land?: Land): Edit {
  const edit: Edit = { forward: [], inverse: [] };
  for (const [start, length, said] of wanted) {
    for (let index = start; index < start + length; index++) {
      const from = mask[index]!;
      const value = land?.(from, said) ?? said;
      if (from === value) continue;
      if (!may(from, value, index)) {
        kept.add(from).add(value);
        continue;
      }
      extend(edit.forward, index, value);
      extend(edit.inverse, index, from);
    }
  }
  return edit;
}
