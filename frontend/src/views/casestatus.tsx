/** In the header: which case, whether it is saved, how long it took so far. */
import { useEffect, useState } from "preact/hooks";
import type { Draft } from "../edits/draft";
import { linkTo } from "../state/router";
import type { CaseSession } from "../state/session";
import { ReadingChip, readsSeveral } from "./readingstate";

export function CaseStatus({ session }: { session: CaseSession }) {
  const draft = session.draft.value;
  return (
    <>
      <span class="case-name" data-testid="case-name">
        {session.header.name}
      </span>
      {session.header.patient && session.header.patient !== session.header.name && (
        <span class="faint" title="Patient">
          {session.header.patient}
        </span>
      )}
      <Progress session={session} />
      <span class="grow" />
      {draft && !session.looksOnly && <Saved draft={draft} />}
      {!session.looksOnly && <Timer session={session} />}
    </>
  );
}

/** How far its readings are, where that is more than one person's annotation. */
function Progress({ session }: { session: CaseSession }) {
  const { progress } = session.opened.assignment;
  if (!readsSeveral(session.project) && progress.needed < 2 && progress.state !== "returned") return null;
  return (
    <a href={linkTo.readings(session.project.id, session.header.id)} title="Compare the readings" data-testid="case-progress">
      <ReadingChip progress={progress} />
    </a>
  );
}

function Saved({ draft }: { draft: Draft }) {
  const state = draft.saveState.value;
  const pending = draft.pending.value;
  const edits = pending === 1 ? "1 edit" : `${pending} edits`;
  const kept = draft.unkept.value > 0 ? `${edits} not kept by this browser, leave the page open` : `${edits} kept`;
  const text = { saved: "Saved ✓", saving: "Saving…", offline: `Offline: ${kept}`, refused: `Not saved: ${kept}` }[state];
  return (
    <span class={`saved saved-${state}`} role="status" aria-live="polite" data-testid="saved" data-state={state} data-revision={draft.revision.value}>
      {text}
    </span>
  );
}

function Timer({ session }: { session: CaseSession }) {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const look = (): void => setSeconds(Math.floor(session.effort.seconds(performance.now())));
    look();
    const timer = window.setInterval(look, 1000);
    return () => window.clearInterval(timer);
  }, [session]);
  const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return (
    <span
      class="timer"
      title="Active time on this case, all sessions together; a pause counts for 30 seconds at most, a hidden page not at all"
      data-testid="effort"
    >
      {text}
    </span>
  );
}
