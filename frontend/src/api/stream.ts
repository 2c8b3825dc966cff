/** Tells when something changed in a project: by server-sent events, or by asking when they do not come. */
import { PREFIX } from "./client";

const POLL_MS = 3000;
/** Events missing for so long while polling is off mean a proxy swallowed them: ask once anyway. */
const SAFETY_MS = 15000;

export interface Watch {
  close(): void;
}

export function watchProject(project: string, onChange: () => void): Watch {
  const source = typeof EventSource === "undefined" ? null : new EventSource(`${PREFIX}/projects/${encodeURIComponent(project)}/stream`);
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
