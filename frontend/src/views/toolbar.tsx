/** The tools at the left edge of the annotation view, and the operations below them. */
import type { ComponentChildren } from "preact";
import * as display from "../state/display";
import type { OperationName } from "../state/editing";
import { hideHypotheses, hypothesesOpen, stepHypothesis } from "../state/hypotheses";
import { isOffered, OPERATIONS, operate, takeTool } from "../state/operations";
import { visitPlace } from "../state/places";
import { previewOpen } from "../state/previewing";
import { toggleReasons } from "../state/reasons";
import { fillSlices, step } from "../state/refining";
import type { CaseSession } from "../state/session";
import { type ActionId, withKey } from "../tools/keytables";
import { ButtonRow } from "./buttonrow";
import { Key, ToolButton } from "./controls";
import { Icon, type IconName } from "./icons";

type ToolRow = readonly [tool: display.Tool & IconName, name: string, action: ActionId];

const LOOKING: readonly ToolRow[] = [
  ["navigate", "Crosshair", "navigate"],
  ["window", "Window by dragging", "window"],
];
const DRAWING: readonly ToolRow[] = [
  ["brush", "Brush", "brush"],
  ["eraser", "Eraser", "eraser"],
  ["polygon", "Polygon", "polygon"],
  ["freehand", "Lasso", "freehand"],
  ["fill", "Fill an outline or region", "fill"],
  ["flood", "Flood through a range of values", "flood"],
  ["push", "Push the outline", "push"],
];
const PROMPTING: readonly ToolRow[] = [
  ["point", "Prompt: click", "prompt-point"],
  ["scribble", "Prompt: stroke", "prompt-scribble"],
  ["box", "Prompt: box", "prompt-box"],
  ["extremes", "Prompt: four outermost points", "prompt-extremes"],
  ["lasso", "Prompt: draw around it", "prompt-lasso"],
];

export function Toolbar({ session, openDialog }: { session: CaseSession; openDialog: (dialogue: "replay") => void }) {
  const segments = session.project.kind === "segmentation";
  const draft = session.looksOnly ? null : session.draft.value;
  const tools = (rows: readonly ToolRow[], changes = true) =>
    rows.map(([tool, name, action]) => (
      <ToolButton
        key={tool}
        icon={tool}
        name={name}
        action={action}
        testid={`tool-${tool}`}
        pressed={display.tool.value === tool}
        disabled={changes && !draft}
        onPress={() => takeTool(session, tool)}
      />
    ));
  const toggleHypotheses = (): void => (hypothesesOpen(session) ? hideHypotheses(session) : void stepHypothesis(session, 1));
  return (
    <ButtonRow class="toolbar" label="Tools" vertical>
      <Group label="Look">{tools(LOOKING, false)}</Group>
      {segments && (
        <>
          <Group label="Draw">
            {tools(DRAWING)}
            {!session.isFlat && (
              <ToolButton
                icon="between"
                name="Fill the slices between those drawn on"
                action="fill-between"
                testid="fill-between"
                disabled={!draft}
                onPress={() => fillSlices(session, session.active.value)}
              />
            )}
          </Group>
          <Group label="Operations">
            {(Object.keys(OPERATIONS) as OperationName[])
              .filter((name) => isOffered(name, session))
              .map((name) => (
                <ToolButton
                  key={name}
                  icon={name}
                  name={OPERATIONS[name].name}
                  action={`op-${name}`}
                  testid={`operation-${name}`}
                  pressed={session.editing.open.value?.kind === name}
                  disabled={!draft}
                  onPress={() => operate(session, name)}
                />
              ))}
          </Group>
          <Group label="Prompts">{tools(PROMPTING)}</Group>
          <Group label="Steps">
            <ToolButton
              icon="undo"
              name="Undo"
              action="undo"
              testid="undo"
              disabled={!draft?.canUndo.value && !previewOpen(session)}
              onPress={() => step(session, "undo")}
            />
            <ToolButton icon="redo" name="Redo" action="redo" testid="redo" disabled={!draft?.canRedo.value} onPress={() => step(session, "redo")} />
            <ToolButton icon="replay" name="Replay how the mask came about" action="replay" testid="replay-open" onPress={() => openDialog("replay")} />
          </Group>
        </>
      )}
      <Group label="Model">
        {segments && (
          <>
            <ToolButton
              icon="next"
              name="Next place worth a look"
              action="place-next"
              testid="next-place"
              disabled={!session.uncertainty.value}
              onPress={() => void visitPlace(session, 1)}
            />
            <ToolButton
              icon="hypotheses"
              name="What else the model may have meant"
              action="hypothesis-next"
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
          action="reasons"
          testid="reasons-toggle"
          pressed={session.advice.reasonShown.value}
          onPress={() => toggleReasons(session)}
        />
        <ToolButton
          icon="region"
          name="Draw a box: where to take a hypothesis, or what must not count"
          action="region"
          testid="tool-region"
          pressed={display.tool.value === "region"}
          disabled={session.looksOnly}
          onPress={() => takeTool(session, "region")}
        />
      </Group>
      <Group label="View">
        <ToolButton icon="reset" name="Fit the image again" action="fit" testid="reset" onPress={() => session.resetViews()} />
        {segments && <HoldToHide />}
      </Group>
    </ButtonRow>
  );
}

function Group({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div class="tool-group" role="group" aria-label={label}>
      {children}
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
      title={withKey("Hide the mask while you hold this button, or hold the key", "mask")}
      aria-label="Hide the mask while held"
      data-testid="hold-to-hide"
      onMouseDown={(event) => event.preventDefault()}
      onPointerDown={show(false)}
      onPointerUp={show(true)}
      onPointerLeave={(event) => event.buttons > 0 && show(true)(event)}
    >
      <Icon name="shut" />
      <Key of="mask" />
    </button>
  );
}
