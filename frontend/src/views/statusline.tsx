/** The line below the image: what was shown or done last; before that, which keys ask the model. */
import type { CaseSession } from "../state/session";

export function StatusLine({ session }: { session: CaseSession }) {
  const told = session.advice.told.value;
  return (
    <p class={told ? "told" : "told faint"} role="status" aria-live="polite" title={told} data-testid="told">
      {told || invitation(session)}
    </p>
  );
}

function invitation({ prediction, project }: CaseSession): string {
  if (prediction.value === null) return "";
  return project.kind === "classification"
    ? "Y: why the model thinks so"
    : "N: the place most worth a look  ·  K: what else the model may have meant  ·  Y: its reasons";
}
