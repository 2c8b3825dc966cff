/** The line below the image: what is queried of the case; what was shown or done last, before that, which keys ask the model. */
import type { CaseSession } from "../state/session";
import { type ActionId, shortKey } from "../tools/keytables";
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
  const offers: [id: ActionId, words: string][] =
    project.kind === "classification"
      ? [["reasons", "why the model thinks so"]]
      : [
          ["place-next", "next place worth a look"],
          ["hypothesis-next", "alternatives"],
          ["reasons", "reasons"],
        ];
  const named = offers.filter(([id]) => shortKey(id));
  return named.map(([id, words]) => `${shortKey(id)}: ${words}`).join("  ·  ");
}
