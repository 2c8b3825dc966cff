/** A case that a reviewer returns while it is open: its comment is on the screen at once. */
import { lookAtCase } from "../api/calls";
import { annotatorName, isSameName } from "../api/person";
import { watchReadings } from "../api/stream";
import { tell } from "./notices";
import type { CaseSession } from "./session";

export function followReturns(session: CaseSession): () => void {
  const watch = watchReadings(session.project.id, () => {
    // What cannot be read now is said when the case is submitted: the server refuses that until the comment was seen.
    void lookAtCase(session.project.id, session.header.id)
      .then(({ situation: { returned } }) => {
        if (session.closed || !returned || !isSameName(returned.to, annotatorName.value)) return;
        if (returned.review_id === session.returned.value?.review_id) return;
        session.returned.value = returned;
        tell("warning", `${returned.by} returned this case to you: ${returned.comment}`);
      })
      .catch(() => undefined);
  });
  return () => watch.close();
}
