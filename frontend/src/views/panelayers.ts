/** What lies over the image of a pane, read from the case: mask, maps and outlines, and what is pointed at. */

import { POINTS } from "../geometry/measure";
import { evidenceTable, heatTable } from "../render/lut";
import type { MarkScene } from "../render/marks";
import { type Measured, pointsOn } from "../render/measures";
import type { Heat, LabelLayers } from "../render/painter";
import { diamondAt, frameOf, type Sign } from "../render/signs";
import * as display from "../state/display";
import { previewOf } from "../state/keptmeasuring";
import { pointsOf } from "../state/measuring";
import type { CaseSession } from "../state/session";
import { uncertainBand } from "../volume/band";
import { figureLines } from "../volume/figures";

const BOX_COLOUR = "#ffffff";
const PLACE_COLOUR = "#f6c667";
const WRONG_COLOUR = "#ff9b8f";
const SUGGESTED_COLOUR = "#7fe3dd";
const QUERIED_COLOUR = "#cdb4ff";

/** What a pane draws over the image. */
export interface PaneLook {
  layers: () => LabelLayers;
  signs: (scene: Omit<MarkScene, "colourOf">) => Sign[];
}

/** What the annotation view draws. */
export const lookOf = (session: CaseSession): PaneLook => ({ layers: () => layersOf(session), signs: (scene) => signsOf(session, scene) });

/** While reasons are drawn the mask is an outline, so that it does not tint them. */
function layersOf(session: CaseSession): LabelLayers {
  const reasons = session.advice.drawnReason !== null;
  return {
    mask: display.maskShown.value ? (session.draft.value?.mask ?? null) : null,
    version: session.drag?.draws ? undefined : session.draft.value?.changes.value,
    style: { labels: session.paints, hidden: session.unpainted, opacity: display.maskOpacity.value, outline: display.outlined.value || reasons },
    heat: heatOf(session),
    proposal: display.proposalShown.value ? session.proposal.value : null,
    prompted: promptedOf(session),
    hypothesis: session.advice.drawnHypothesis?.mask ?? null,
    people: [],
  };
}

/** What prompts or an operation would do to the mask. */
function promptedOf({ previews, editing, draft }: CaseSession): LabelLayers["prompted"] {
  const runs = editing.preview.value?.edit.forward ?? previews?.shown.value?.runs;
  return runs && runs.length > 0 && draft.value ? { mask: draft.value.mask, runs } : null;
}

/** Reasons take the place of the uncertainty: two hazes at once say nothing. */
function heatOf(session: CaseSession): Heat | null {
  const { advice, uncertainty, proposal } = session;
  if (advice.drawnReason) return { map: advice.drawnReason.map, colours: evidenceTable, opacity: display.reasonOpacity.value };
  if (!uncertainty.value || !display.uncertaintyShown.value) return null;
  const [map, mask] = [uncertainty.value, proposal.value];
  const shown: Heat["shown"] = { of: mask, pixels: (slice, plane) => uncertainBand(map, mask, slice, plane, session.islands) };
  return { map, colours: heatTable, opacity: display.uncertaintyOpacity.value, shown };
}

/** What is queried, the place in hand (as a frame where it is a region), boxes called wrong, the reader's box, and beside a hypothesis where a prompt would change most. */
function signsOf({ advice, queried, queriedBoxes }: CaseSession, scene: Omit<MarkScene, "colourOf">): Sign[] {
  const region = advice.looks.value[advice.look.value]?.region;
  const wrong = advice.drawnObjections;
  const box = wrong.includes(advice.region.value!) ? null : advice.region.value;
  const suggested = advice.drawnHypothesis ? advice.alternatives.value!.suggested : [];
  return [
    ...queriedBoxes.flatMap((box, n) => frameOf(box, "axis" in queried[n]! ? "" : `region ${n + 1}`, QUERIED_COLOUR, scene)),
    ...(region ? frameOf(region, `place ${advice.look.value + 1}`, PLACE_COLOUR, scene) : []),
    ...wrong.flatMap((called) => frameOf(called, "must not count", WRONG_COLOUR, scene)),
    ...(box ? frameOf(box, "box", BOX_COLOUR, scene) : []),
    ...suggested.flatMap(({ voxel }, n) => diamondAt(voxel, String(n + 1), SUGGESTED_COLOUR, scene)),
  ];
}

/** What is measured in the slice shown, what is being placed last. */
export function measuresOn(session: CaseSession, scene: Omit<MarkScene, "colourOf">): Measured[] {
  const { measurements } = session;
  if (!display.measurementsShown.value) return [];
  const { slice_axis } = scene.plane;
  const kept = measurements.kept.value.filter(({ axis, index, points }) => axis === slice_axis && index === scene.number && points.length > 0);
  const shown: Measured[] = kept.map((one) => {
    const points = pointsOf(measurements, one);
    const figures = points === one.points ? one.figures : previewOf(session, { kind: one.kind, axis: slice_axis, index: scene.number, points });
    const chosen = one.id === measurements.chosen.value;
    return {
      kind: one.kind,
      at: pointsOn(points, scene),
      lines: [one.note, ...figureLines(figures, session.header.unit)].filter(Boolean),
      chosen,
      faint: !one.own,
    };
  });
  const placing = measurements.placing.value;
  if (placing?.axis !== slice_axis || placing.index !== scene.number) return shown;
  const complete = placing.points.length === POINTS[placing.kind];
  const lines = complete ? figureLines(previewOf(session, placing), session.header.unit) : [];
  return [...shown, { kind: placing.kind, at: pointsOn(placing.points, scene), lines, chosen: true, faint: true }];
}
