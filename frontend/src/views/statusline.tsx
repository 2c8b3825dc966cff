/** The line below the image: what was shown or done last; before that, which keys ask the model. */
import type { CaseSession } from "../state/session";

export function StatusLine({ session }: { session: CaseSession }) {
  const message = session.advice.message.value;
  return (
    <p class={message ? "status-line" : "status-line faint"} role="status" aria-live="polite" title={message} data-testid="status-line">
      {message || invitation(session)}
    </p>
  );
}

function invitation({ prediction, project }: CaseSession): string {
  if (prediction.value === null) return "";
  return project.kind === "classification"
    ? "Y: why the model thinks so"
    : "N: the place most worth a look  ·  K: what else the model may have meant  ·  Y: its reasons";
}
