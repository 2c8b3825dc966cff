/** The bar above the panes: the tool or operation in hand, how large it is, and where it may draw. Every field keeps its place, whatever is in hand. */
import * as display from "../state/display";
import type { OperationName } from "../state/editing";
import {
  accept,
  cancel,
  chooseVariant,
  isSliceable,
  type Measure,
  measureFor,
  saveTrace,
  throughOf,
  titleOf,
  variantOf,
  variantsOf,
} from "../state/operations";
import type { CaseSession } from "../state/session";
import { fullKey, withKey } from "../tools/keytables";
import { NumberField, Slider, Toggle } from "./controls";
import { Icon } from "./icons";
import { ValueRange } from "./valuerange";

/** The slider runs over powers, because a small brush needs finer steps than a large one. */
const SLIDER_TOP = 100;
const LARGEST_MM = 100;
const SMALLEST_MM = 0.1;
const RATIO = LARGEST_MM / SMALLEST_MM;

const NAMES: Record<display.Tool, string> = {
  navigate: "Crosshair",
  window: "Window",
  region: "Box",
  ruler: "Ruler",
  angle: "Angle",
  ellipse: "Ellipse",
  rectangle: "Rectangle",
  brush: "Brush",
  eraser: "Eraser",
  push: "Push",
  fill: "Fill",
  flood: "Flood",
  polygon: "Polygon",
  freehand: "Lasso",
  point: "Prompt: click",
  scribble: "Prompt: stroke",
  box: "Prompt: box",
  extremes: "Prompt: outermost points",
  lasso: "Prompt: around it",
};

export function ToolSettings({ session }: { session: CaseSession }) {
  const { editing } = session;
  const open = editing.open.value;
  const tool = display.tool.value;
  const operates = open !== null && open.kind !== "flood" && open.kind !== "outline";
  const kind = operates ? open.kind : tool === "flood" ? "flood" : null;
  return (
    <div class="tool-settings" role="group" aria-label="Chosen tool" data-testid="tool-settings" data-verb="annotate">
      <strong class="tool-name" data-testid="tool-name">
        {operates ? titleOf(open.kind) : NAMES[tool]}
      </strong>
      <div class="tool-size">{kind ? <Operation session={session} kind={kind} /> : <BrushSize session={session} />}</div>
      <div class="tool-through">
        {!session.isFlat && (
          <Toggle value={throughOf(kind)} action="ball" testid={kind && kind !== "flood" && isSliceable(kind) ? "operation-through" : "ball-brush"}>
            3D
          </Toggle>
        )}
      </div>
      <Toggle value={display.keepOthers} testid="keep-others">
        Keep others
      </Toggle>
      <ValueRange session={session} />
      <Pending session={session} />
    </div>
  );
}

function BrushSize({ session }: { session: CaseSession }) {
  const radius = display.brushRadiusMm.value;
  const diameter = 2 * radius;
  const position = (Math.log(Math.max(radius, SMALLEST_MM) / SMALLEST_MM) / Math.log(RATIO)) * SLIDER_TOP;
  return (
    <Slider
      label="Size"
      value={position}
      low={0}
      high={SLIDER_TOP}
      step={0.5}
      shown={`${diameter < 10 ? diameter.toFixed(1) : diameter.toFixed(0)} ${session.unit}`}
      testid="brush-size"
      onInput={(value) => (display.brushRadiusMm.value = SMALLEST_MM * RATIO ** (value / SLIDER_TOP))}
    />
  );
}

/** Its variant and its number. */
function Operation({ session, kind }: { session: CaseSession; kind: "flood" | OperationName }) {
  const variants = variantsOf(kind, session);
  const measure = measureFor({ kind }, session);
  return (
    <>
      {variants.length > 0 && (
        <select
          aria-label="Variant"
          value={variantOf(kind, session)}
          data-testid="variant"
          onChange={(event) => {
            chooseVariant(kind, event.currentTarget.value);
            event.currentTarget.blur();
          }}
        >
          {variants.map(([id, name]) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      )}
      {kind === "flood" && measure && <span>within</span>}
      {measure && <Amount {...measure} />}
    </>
  );
}

function Amount({ value, unit, low, high, set }: Measure) {
  return (
    <span class="amount">
      <NumberField value={value} low={low} high={high} name="Amount" testid="amount" onValue={set} />
      {unit}
    </span>
  );
}

/** What the preview would do, to be accepted or put away. */
function Pending({ session }: { session: CaseSession }) {
  const { open, preview, ring } = session.editing;
  const records = open.value?.kind === "record";
  const text =
    preview.value?.text ??
    (records ? "Recording…" : open.value ? "Working…" : ring.value ? `${ring.value.points.length} points; ${fullKey("submit")} closes the outline` : "");
  const press = (act: (session: CaseSession) => void) => ({ onMouseDown: (event: Event) => event.preventDefault(), onClick: () => act(session) });
  return (
    <div class="tool-pending" data-busy={open.value !== null && !records && preview.value === null}>
      <span class="grow" title={text} data-testid="preview">
        {text}
      </span>
      {(open.value || ring.value) && (
        <>
          {open.value && (
            <button
              class="primary"
              title={withKey("Accept", "submit")}
              aria-label="Accept"
              disabled={!records && !preview.value?.edit.forward.length}
              data-testid="accept"
              {...press(accept)}
            >
              <Icon name="check" />
            </button>
          )}
          {open.value?.kind === "trace" && (
            <button class="small" title={withKey("Save the trace as JSON", "trace-save")} data-testid="trace-save" {...press(saveTrace)}>
              Save
            </button>
          )}
          <button title={withKey("Put it away", "leave")} aria-label="Cancel" data-testid="cancel" {...press(cancel)}>
            <Icon name="close" />
          </button>
        </>
      )}
    </div>
  );
}
