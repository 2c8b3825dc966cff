/** How several slices are drawn as one. */
import { SLABS, type SlabMode } from "../render/slab";
import * as display from "../state/display";
import type { CaseSession } from "../state/session";
import { withKey } from "../tools/keytables";
import { ButtonRow } from "./buttonrow";
import { PlainButton, Slider } from "./controls";

/** Several slices as one picture; nothing is drawn on it. */
export function SlabOptions({ session }: { session: CaseSession }) {
  const { slab, slabThickness } = display;
  const unit = session.header.spaced ? "mm" : "slices";
  return (
    <section class="block">
      <h3>Slab</h3>
      <ButtonRow class="chips" label="Slab of slices">
        {SLABS.map((mode) => (
          <PlainButton
            key={mode}
            class="chip"
            title={withKey(SLAB_WORDS[mode], "slab")}
            pressed={slab.value === mode}
            testid={`slab-${mode}`}
            onPress={() => (slab.value = mode)}
          >
            {mode === "off" ? "Off" : mode === "mean" ? "Mean" : mode}
          </PlainButton>
        ))}
      </ButtonRow>
      <Slider
        label="Thickness"
        value={slabThickness.value}
        low={1}
        high={100}
        step={1}
        shown={`${slabThickness.value} ${unit}`}
        testid="slab-thickness"
        onInput={(moved) => (slabThickness.value = moved)}
      />
    </section>
  );
}

const SLAB_WORDS: Record<SlabMode, string> = {
  off: "One slice",
  MIP: "The largest value along each line of sight",
  MinIP: "The smallest value along each line of sight",
  mean: "The mean along each line of sight",
};
