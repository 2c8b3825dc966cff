/** One plane on the screen: three canvases and the button that maximises it. */
import { useEffect, useRef } from "preact/hooks";
import { frameText } from "../geometry/frames";
import type { CaseSession } from "../state/session";
import { withKey } from "../tools/keytables";
import { Icon } from "./icons";
import { surfaceOpen } from "./lazysurface";
import type { PaneLook } from "./panelayers";
import { PaneView } from "./paneview";

interface PaneProps {
  session: CaseSession;
  index: number;
  /** What is drawn over the image, where it is not what the annotation view draws. */
  look?: PaneLook | undefined;
  /** Whose mask it shows, where several panes show one plane. */
  of?: { id: string; name: string };
}

export function Pane({ session, index, look, of }: PaneProps) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => mountPane(session, index, box.current!, look), [session, index, look]);
  const plane = session.planes[index]!;
  const { hanging } = session;
  const alone = hanging.alone.value;
  const hidden = alone !== null && alone !== index;
  const role = of || session.isFlat || alone === index ? "alone" : index === session.main ? "main" : "side";
  return (
    <div
      ref={box}
      class={`pane pane-${role}${session.active.value === index ? " pane-active" : ""}`}
      hidden={of ? false : hidden}
      data-testid={of ? `pane-of-${of.id}` : `pane-${plane.name}`}
      tabIndex={0}
      role="group"
      aria-roledescription="image"
      onFocus={() => (session.active.value = index)}
      aria-label={`${of ? `${of.name}: ` : ""}${paneTitle(session, index)}`}
    >
      <canvas class="layer" data-layer="image" />
      <canvas class="layer" data-layer="labels" />
      <canvas class="layer" data-layer="head" />
      {!session.isFlat && !of && (
        <button
          class="pane-corner"
          title={withKey(alone === index ? "Show all planes" : "Maximise this plane", "maximise")}
          aria-label={alone === index ? "Show all planes" : `Maximise: ${session.planeTitle(index)}`}
          data-testid={`maximise-${plane.name}`}
          onPointerDown={(event) => event.stopPropagation()}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => hanging.maximise(index)}
        >
          <Icon name={alone === index ? "shrink" : "grow"} />
        </button>
      )}
    </div>
  );
}

/** "Axial slice 7 of 36, queried". */
export function paneTitle(session: CaseSession, index: number): string {
  const number = session.sliceNumber(index);
  const queried = session.isQueried(index, number) ? ", queried" : "";
  const count = session.header.shape[session.planes[index]!.slice_axis]!;
  if (session.isFilm) return `${frameText(session.header.frame_seconds, count, number)}${queried}`;
  return `${session.planeTitle(index)} slice ${number + 1} of ${count}${queried}`;
}

function mountPane(session: CaseSession, index: number, box: HTMLDivElement, look?: PaneLook): () => void {
  const view = new PaneView(session, index, box, look);
  return () => view.close();
}

/** How the planes of a case are laid out. */
export function panesClass(session: CaseSession): string {
  const { isFlat, hanging } = session;
  if (surfaceOpen(session)) return hanging.alone.value === null ? "panes-four" : "panes-two";
  if (isFlat || hanging.alone.value !== null) return "panes-one";
  return hanging.name.value === "2 × 2" ? "panes-four" : "";
}
