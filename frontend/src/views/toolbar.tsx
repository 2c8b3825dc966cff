/** The tools at the left edge of the annotation view. */
import * as display from "../state/display";
import { hideHypotheses, hypothesesOpen, stepHypothesis } from "../state/hypotheses";
import { visitPlace } from "../state/places";
import { previewOpen } from "../state/previewing";
import { toggleReasons } from "../state/reasons";
import { fillSlices, step } from "../state/refining";
import type { CaseSession } from "../state/session";
import { ToolButton } from "./controls";

export function Toolbar({ session }: { session: CaseSession }) {
  const segments = session.project.kind === "segmentation";
  const draft = session.looksOnly ? null : session.draft.value;
  const chosen = display.tool.value;
  const take = (tool: display.Tool) => (): void => {
    display.tool.value = tool;
  };
  const toggleHypotheses = (): void => (hypothesesOpen(session) ? hideHypotheses(session) : void stepHypothesis(session, 1));
  return (
    <div class="toolbar" role="toolbar" aria-label="Tools" aria-orientation="vertical">
      <ToolButton icon="navigate" name="Crosshair" action="navigate" testid="tool-navigate" pressed={chosen === "navigate"} onPress={take("navigate")} />
      <ToolButton icon="window" name="Window by dragging" action="window" testid="tool-window" pressed={chosen === "window"} onPress={take("window")} />
      {segments && (
        <>
          <span class="toolbar-gap" />
          <ToolButton icon="brush" name="Brush" action="brush" testid="tool-brush" pressed={chosen === "brush"} disabled={!draft} onPress={take("brush")} />
          <ToolButton
            icon="eraser"
            name="Eraser"
            action="eraser"
            testid="tool-eraser"
            pressed={chosen === "eraser"}
            disabled={!draft}
            onPress={take("eraser")}
          />
          <ToolButton
            icon="push"
            name="Push the outline"
            action="push"
            testid="tool-push"
            pressed={chosen === "push"}
            disabled={!draft}
            onPress={take("push")}
          />
          <ToolButton
            icon="fill"
            name="Fill an outline or region"
            action="fill"
            testid="tool-fill"
            pressed={chosen === "fill"}
            disabled={!draft}
            onPress={take("fill")}
          />
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
          <span class="toolbar-gap" />
          <ToolButton
            icon="point"
            name="Prompt: click"
            action="prompt-point"
            testid="tool-point"
            pressed={chosen === "point"}
            disabled={!draft}
            onPress={take("point")}
          />
          <ToolButton
            icon="scribble"
            name="Prompt: stroke"
            action="prompt-scribble"
            testid="tool-scribble"
            pressed={chosen === "scribble"}
            disabled={!draft}
            onPress={take("scribble")}
          />
          <ToolButton icon="box" name="Prompt: box" action="prompt-box" testid="tool-box" pressed={chosen === "box"} disabled={!draft} onPress={take("box")} />
          <ToolButton
            icon="extremes"
            name="Prompt: four outermost points"
            action="prompt-extremes"
            testid="tool-extremes"
            pressed={chosen === "extremes"}
            disabled={!draft}
            onPress={take("extremes")}
          />
          <ToolButton
            icon="lasso"
            name="Prompt: draw around it"
            action="prompt-lasso"
            testid="tool-lasso"
            pressed={chosen === "lasso"}
            disabled={!draft}
            onPress={take("lasso")}
          />
          <span class="toolbar-gap" />
          <ToolButton
            icon="undo"
            name="Undo"
            action="undo"
            testid="undo"
            disabled={!draft?.canUndo.value && !previewOpen(session)}
            onPress={() => step(session, "undo")}
          />
          <ToolButton icon="redo" name="Redo" action="redo" testid="redo" disabled={!draft?.canRedo.value} onPress={() => step(session, "redo")} />
          <span class="toolbar-gap" />
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
        pressed={chosen === "region"}
        disabled={session.looksOnly}
        onPress={take("region")}
      />
      <span class="toolbar-gap" />
      <ToolButton icon="reset" name="Fit the image again" action="fit" testid="reset" onPress={() => session.resetViews()} />
    </div>
  );
}
