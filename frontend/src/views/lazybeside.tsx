/** The place of the reference pane, whose script is fetched when a case has references. */
import * as display from "../state/display";
import type { CaseSession } from "../state/session";
import { later } from "./later";

export const besideOpen = ({ header, purpose }: CaseSession): boolean => display.referenceShown.value && header.references > 0 && purpose !== "compare";

export const LazyBeside = later<{ session: CaseSession }>(() => import("./besidepane").then((part) => part.default), Place);

function Place({ failed }: { failed: boolean }) {
  return (
    <section class="pane pane-reference">
      <p class="reference-word" role="status">
        {failed ? "The script of the reference could not be fetched; load the page again." : "Loading the reference…"}
      </p>
    </section>
  );
}
