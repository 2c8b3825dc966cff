/** Tells when something changed in a project: by server-sent events, or by asking when they do not come. */
import { getJson, PREFIX } from "./client";
import { hasAccounts, me } from "./me";

const POLL_MS = 3000;
/** Events missing for so long while polling is off mean a proxy swallowed them: ask once anyway. */
const SAFETY_MS = 15000;

export interface Watch {
  close(): void;
}

export function watchProject(project: string, onChange: () => void): Watch {
  let timer = 0;
  const schedule = (): void => {
    window.clearTimeout(timer);
    timer = window.setTimeout(tick, stream.isLive() ? SAFETY_MS : POLL_MS);
  };
  const tick = (): void => {
    if (!document.hidden) onChange();
    schedule();
  };
  const stream = openStream(project, { change: tick, open: () => schedule(), error: () => schedule() });
  schedule();
  return {
    close() {
      window.clearTimeout(timer);
      stream.close();
    },
  };
}

/** A stream of a project. A session that ends closes it; it is opened again for who signs in again. */
function openStream(project: string, listeners: Record<string, (event: MessageEvent) => void>): Watch & { isLive(): boolean } {
  let source: EventSource | null = null;
  const open = (): void => {
    if (typeof EventSource === "undefined" || (source !== null && source.readyState !== EventSource.CLOSED)) return;
    source = new EventSource(`${PREFIX}/projects/${encodeURIComponent(project)}/stream`);
    for (const [name, act] of Object.entries(listeners)) source.addEventListener(name, act as EventListener);
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED && hasAccounts()) void getJson("/me").catch(() => undefined);
    });
  };
  const stop = me.subscribe(open);
  return {
    isLive: () => source?.readyState === 1,
    close() {
      stop();
      source?.close();
    },
  };
}

interface Counts {
  annotations: number;
  closed: number;
  reviews: number;
  consensuses: number;
}

/** Tells when somebody has annotated, or given a verdict, or a consensus was made; jobs and rounds are no news here. */
export function watchReadings(project: string, onNews: () => void): Watch {
  let known = "";
  return openStream(project, {
    change: (event) => {
      const { annotations, closed, reviews, consensuses } = JSON.parse(event.data as string) as Counts;
      const counts = [annotations, closed, reviews, consensuses].join();
      if (known !== "" && counts !== known) onNews();
      known = counts;
    },
  });
}

export interface ProposalNews {
  case_id: string;
  prediction_id: string;
}

/** Tells when a proposal that was asked for is ready. Without server-sent events it is there at the next opening. */
export function watchProposals(project: string, onProposal: (news: ProposalNews) => void): Watch {
  return openStream(project, { proposal: (event) => onProposal(JSON.parse(event.data as string) as ProposalNews) });
}
