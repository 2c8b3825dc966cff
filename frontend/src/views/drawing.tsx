/** The brush of a segmentation. */
import * as display from "../state/display";
import type { CaseSession } from "../state/session";
import { Slider, Toggle } from "./controls";

/** The slider runs over powers, because a small brush needs finer steps than a large one. */
const SLIDER_TOP = 100;
const LARGEST_MM = 100;
const SMALLEST_MM = 0.1;
const RATIO = LARGEST_MM / SMALLEST_MM;

export function DrawingOptions({ session }: { session: CaseSession }) {
  const radius = display.brushRadiusMm.value;
  const diameter = 2 * radius;
  const position = (Math.log(Math.max(radius, SMALLEST_MM) / SMALLEST_MM) / Math.log(RATIO)) * SLIDER_TOP;
  return (
    <section class="block">
      <h3>Brush</h3>
      <Slider
        label="Diameter"
        value={position}
        low={0}
        high={SLIDER_TOP}
        step={0.5}
        shown={`${diameter < 10 ? diameter.toFixed(1) : diameter.toFixed(0)} ${session.unit}`}
        testid="brush-size"
        onInput={(value) => (display.brushRadiusMm.value = SMALLEST_MM * RATIO ** (value / SLIDER_TOP))}
      />
      {!session.isFlat && (
        <Toggle value={display.ballBrush} action="ball" testid="ball-brush">
          Ball through slices (3D)
        </Toggle>
      )}
      <Toggle value={display.keepOthers} testid="keep-others">
        Keep other labels
      </Toggle>
    </section>
  );
}
