/** The acquisition of the case that is open, judged when somebody wants to know. */
import { useEffect, useState } from "preact/hooks";
import { readAcquisition } from "../api/calls";
import type { Acquisition } from "../api/types";
import { tellError } from "../state/notices";
import { Outcome } from "./acquisitionoutcome";

export function CaseQuality({ project, caseId }: { project: string; caseId: string }) {
  const [found, setFound] = useState<Acquisition | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => setFound(null), [caseId]);
  const judge = (): void => {
    setBusy(true);
    readAcquisition(project, caseId)
      .then(setFound)
      .catch(tellError)
      .finally(() => setBusy(false));
  };
  if (found) return <Outcome found={found} />;
  return (
    <button disabled={busy} data-testid="judge-acquisition" onClick={judge}>
      {busy ? "Looking at it…" : "Judge the acquisition"}
    </button>
  );
}
