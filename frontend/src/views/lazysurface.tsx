/** The place of the 3D view, whose script is fetched when it is opened first. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import * as display from "../state/display";
import type { CaseSession } from "../state/session";

type View = ComponentType<{ session: CaseSession }>;

export const surfaceOpen = ({ project, isFlat, purpose }: CaseSession): boolean =>
  display.surfaceShown.value && project.kind === "segmentation" && !isFlat && purpose !== "compare";

export function LazySurface({ session }: { session: CaseSession }) {
  const [loaded, setLoaded] = useState<{ View: View } | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(
    () =>
      void import("./surface").then(
        (part) => setLoaded({ View: part.default }),
        () => setFailed(true),
      ),
    [],
  );
  if (loaded) return <loaded.View session={session} />;
  return (
    <section class="pane pane-surface" data-testid="surface">
      <p class="surface-line" role="status">
        {failed ? "The script of the 3D view could not be fetched; close it and open it again." : "Loading the 3D view…"}
      </p>
    </section>
  );
}
