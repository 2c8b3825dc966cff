/** The line below the image: what is queried of the case; what was shown or done last, before that, which keys ask the model. */
import type { CaseSession } from "../state/session";
import { shortKey } from "../tools/keytables";
import { ReadoutLine } from "./crosshair";

export function StatusLine({ session }: { session: CaseSession }) {
  const message = session.advice.message.value;
  return (
    <p class="status-line" title={message}>
      <ReadoutLine session={session} />
      {session.queried.length > 0 && session.named.value.length === 0 && (
        <span class="queried" data-testid="queried">
          Queried: {session.queried.map((_, n) => session.partTitle(n)).join(", ")}
        </span>
      )}
      <span class={message ? "" : "faint"} role="status" aria-live="polite" data-testid="status-line">
        {message || invitation(session)}
      </span>
    </p>
  );
}

function invitation({ prediction, project }: CaseSession): string {
  if (prediction.value === null) return "";
  return project.kind === "classification"
    ? `${shortKey("reasons")}: why the model thinks so`
    : `${shortKey("place-next")}: the place most worth a look  ·  ${shortKey("hypothesis-next")}: what else the model may have meant  ·  ${shortKey("reasons")}: its reasons`;
}
