/** Tells when something changed in a project: by server-sent events, or by asking when they do not come. */
import { PREFIX } from "./client";

const POLL_MS = 3000;
/** Events missing for so long while polling is off mean a proxy swallowed them: ask once anyway. */
const SAFETY_MS = 15000;

export interface Watch {
  close(): void;
}

export function watchProject(project: string, onChange: () => void): Watch {
  const source = typeof EventSource === "undefined" ? null : new EventSource(streamOf(project));
  let timer = 0;
  const schedule = (): void => {
    window.clearTimeout(timer);
    const live = source !== null && source.readyState === EventSource.OPEN;
    timer = window.setTimeout(tick, live ? SAFETY_MS : POLL_MS);
  };
  const tick = (): void => {
    if (!document.hidden) onChange();
    schedule();
  };
  source?.addEventListener("change", tick);
  source?.addEventListener("open", schedule);
  source?.addEventListener("error", schedule);
  schedule();
  return {
    close() {
      window.clearTimeout(timer);
      source?.close();
    },
  };
}

export interface ProposalNews {
  case_id: string;
  prediction_id: string;
}

/** Tells when a proposal that was asked for is ready. Without server-sent events it is there at the next opening. */
export function watchProposals(project: string, onProposal: (news: ProposalNews) => void): Watch {
  if (typeof EventSource === "undefined") return { close: () => undefined };
  const source = new EventSource(streamOf(project));
  source.addEventListener("proposal", (event) => onProposal(JSON.parse(event.data as string) as ProposalNews));
  return source;
}

const streamOf = (project: string): string => `${PREFIX}/projects/${encodeURIComponent(project)}/stream`;
