/** One plane on the screen: three canvases and the button that maximises it. */
import { useEffect, useRef } from "preact/hooks";
import type { CaseSession } from "../state/session";
import { Icon } from "./icons";
import { PaneView } from "./paneview";

export function Pane({ session, index }: { session: CaseSession; index: number }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => mountPane(session, index, box.current!), [session, index]);
  const plane = session.planes[index]!;
  const { hanging } = session;
  const alone = hanging.alone.value;
  const queried = session.isQueried(index, session.sliceNumber(index));
  const hidden = alone !== null && alone !== index;
  const role = session.isFlat || alone === index ? "alone" : index === session.main ? "main" : "side";
  return (
    <div
      ref={box}
      class={`pane pane-${role}${session.active.value === index ? " pane-active" : ""}`}
      hidden={hidden}
      data-testid={`pane-${plane.name}`}
      tabIndex={0}
      role="group"
      aria-roledescription="image"
      onFocus={() => (session.active.value = index)}
      aria-label={`${session.planeTitle(index)} slice ${session.sliceNumber(index) + 1} of ${session.header.shape[plane.slice_axis]}${queried ? ", queried" : ""}`}
    >
      <canvas class="layer" data-layer="image" />
      <canvas class="layer" data-layer="labels" />
      <canvas class="layer" data-layer="head" />
      {!session.isFlat && (
        <button
          class="pane-corner"
          title={alone === index ? "Show all planes (M)" : "Maximise this plane (M)"}
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

function mountPane(session: CaseSession, index: number, box: HTMLDivElement): () => void {
  const view = new PaneView(session, index, box);
  return () => view.close();
}
