/** Says which slice is on the screen, once it has stood for a moment: a wheel that turns does not talk. */
import { useEffect, useState } from "preact/hooks";
import type { CaseSession } from "../state/session";
import { paneTitle } from "./pane";

const STANDS_MS = 400;

export function SliceSaid({ session }: { session: CaseSession }) {
  const title = paneTitle(session, session.active.value);
  const [said, say] = useState("");
  useEffect(() => {
    const timer = window.setTimeout(() => say(title), STANDS_MS);
    return () => window.clearTimeout(timer);
  }, [title]);
  return (
    <p class="unseen" role="status" aria-live="polite" data-testid="slice-said">
      {said}
    </p>
  );
}
