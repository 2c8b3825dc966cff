/** The tools at the left edge of the annotation view, and the operations below them. */
import * as display from "../state/display";
import type { OperationName } from "../state/editing";
import { hideHypotheses, hypothesesOpen, stepHypothesis } from "../state/hypotheses";
import { OPERATIONS, operate, takeTool } from "../state/operations";
import { visitPlace } from "../state/places";
import { toggleReasons } from "../state/reasons";
import { fillSlices, step } from "../state/refining";
import type { CaseSession } from "../state/session";
import { ToolButton } from "./controls";
import { Icon, type IconName } from "./icons";

type ToolRow = readonly [tool: display.Tool & IconName, name: string, keys: string];

const LOOKING: readonly ToolRow[] = [
  ["navigate", "Crosshair", "V"],
  ["window", "Window by dragging", "W"],
];
const DRAWING: readonly ToolRow[] = [
  ["brush", "Brush", "B"],
  ["eraser", "Eraser", "E"],
  ["polygon", "Polygon", "Shift + C"],
  ["lasso", "Lasso", "Shift + D"],
  ["fill", "Fill an outline or region", "F"],
  ["flood", "Flood through a range of values", "Shift + W"],
  ["push", "Push the outline", "Shift + E"],
];
const PROMPTING: readonly ToolRow[] = [
  ["point", "Prompt: click", "C"],
  ["scribble", "Prompt: stroke", "L"],
  ["box", "Prompt: box", "A"],
  ["extremes", "Prompt: four outermost points", "Shift + A"],
];

export function Toolbar({ session }: { session: CaseSession }) {
  const segments = session.project.kind === "segmentation";
  const draft = session.looksOnly ? null : session.draft.value;
  const tools = (rows: readonly ToolRow[], changes = true) =>
    rows.map(([tool, name, keys]) => (
      <ToolButton
        key={tool}
        icon={tool}
        name={name}
        keys={keys}
        testid={`tool-${tool}`}
        pressed={display.tool.value === tool}
        disabled={changes && !draft}
        onPress={() => takeTool(session, tool)}
      />
    ));
  const toggleHypotheses = (): void => (hypothesesOpen(session) ? hideHypotheses(session) : void stepHypothesis(session, 1));
  return (
    <div class="toolbar" role="toolbar" aria-label="Tools" aria-orientation="vertical">
      {tools(LOOKING, false)}
      {segments && (
        <>
          <span class="toolbar-gap" />
          {tools(DRAWING)}
          {!session.isFlat && (
            <ToolButton
              icon="between"
              name="Fill the slices between those drawn on"
              keys="Shift + F"
              testid="fill-between"
              disabled={!draft}
              onPress={() => fillSlices(session, session.active.value)}
            />
          )}
          <span class="toolbar-gap" />
          {(Object.keys(OPERATIONS) as OperationName[])
            .filter((name) => !(session.isFlat && OPERATIONS[name].volumes))
            .map((name) => (
              <ToolButton
                key={name}
                icon={name}
                name={OPERATIONS[name].name}
                keys={OPERATIONS[name].keys}
                testid={`operation-${name}`}
                pressed={session.editing.open.value?.kind === name}
                disabled={!draft}
                onPress={() => operate(session, name)}
              />
            ))}
          <span class="toolbar-gap" />
          {tools(PROMPTING)}
          <span class="toolbar-gap" />
          <ToolButton icon="undo" name="Undo" keys="Ctrl + Z" testid="undo" disabled={!draft?.canUndo.value} onPress={() => step(session, "undo")} />
          <ToolButton icon="redo" name="Redo" keys="Ctrl + Shift + Z" testid="redo" disabled={!draft?.canRedo.value} onPress={() => step(session, "redo")} />
          <span class="toolbar-gap" />
          <ToolButton
            icon="next"
            name="Next place worth a look"
            keys="N"
            testid="next-place"
            disabled={!session.uncertainty.value}
            onPress={() => void visitPlace(session, 1)}
          />
          <ToolButton
            icon="hypotheses"
            name="What else the model may have meant"
            keys="K"
            testid="hypotheses-toggle"
            pressed={hypothesesOpen(session)}
            disabled={!session.draft.value}
            onPress={toggleHypotheses}
          />
        </>
      )}
      <ToolButton
        icon="why"
        name="The model’s reasons"
        keys="Y"
        testid="reasons-toggle"
        pressed={session.advice.reasonShown.value}
        onPress={() => toggleReasons(session)}
      />
      <ToolButton
        icon="region"
        name="Draw a box: where to take a hypothesis, or what must not count"
        keys="Z"
        testid="tool-region"
        pressed={display.tool.value === "region"}
        disabled={session.looksOnly}
        onPress={() => takeTool(session, "region")}
      />
      <span class="toolbar-gap" />
      <ToolButton icon="reset" name="Fit the image again" keys="R" testid="reset" onPress={() => session.resetViews()} />
      {segments && <HoldToHide />}
    </div>
  );
}

/** Pressed, the mask is hidden for as long as the button is held. */
function HoldToHide() {
  const show =
    (shown: boolean) =>
    (event: Event): void => {
      event.preventDefault();
      display.maskShown.value = shown;
    };
  return (
    <button
      class="tool"
      title="Hide the mask while you hold this button (or hold H)"
      aria-label="Hide the mask while held"
      data-testid="hold-to-hide"
      onMouseDown={(event) => event.preventDefault()}
      onPointerDown={show(false)}
      onPointerUp={show(true)}
      onPointerLeave={(event) => event.buttons > 0 && show(true)(event)}
    >
      <Icon name="shut" />
      <kbd>H</kbd>
    </button>
  );
}
