/** The place of the 3D view, whose script is fetched when it is opened first. */
import * as display from "../state/display";
import type { CaseSession } from "../state/session";
import { later } from "./later";

export const surfaceOpen = ({ project, isFlat, purpose }: CaseSession): boolean =>
  display.surfaceShown.value && project.kind === "segmentation" && !isFlat && purpose !== "compare";

export const LazySurface = later<{ session: CaseSession }>(() => import("./surface").then((part) => part.default), Place);

function Place({ failed }: { failed: boolean }) {
  return (
    <section class="pane pane-surface" data-testid="surface">
      <p class="surface-line" role="status">
        {failed ? "The script of the 3D view could not be fetched; close it and open it again." : "Loading the 3D view…"}
      </p>
    </section>
  );
}
