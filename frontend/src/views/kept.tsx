/** Tells about edits that an earlier window left unsaved in this browser, with the way back to them. */
import { useEffect, useState } from "preact/hooks";
import type { Project } from "../api/types";
import { measuringStorage } from "../state/keptmeasuring";
import { linkTo } from "../state/router";
import { isOwn, storage } from "../state/saving";

export function KeptEdits({ project }: { project: Project }) {
  const [counts, setCounts] = useState<[caseId: string, edits: number][]>([]);
  useEffect(() => {
    void Promise.all([storage.all(), measuringStorage.all()])
      .then((kept) => {
        const byCase = new Map<string, number>();
        for (const patch of kept.flat()) if (patch.project === project.id && isOwn(patch)) byCase.set(patch.caseId, (byCase.get(patch.caseId) ?? 0) + 1);
        setCounts([...byCase]);
      })
      .catch(() => undefined);
  }, [project.id]);
  if (counts.length === 0) return null;
  return (
    <p class="banner" role="status" data-testid="kept-edits">
      This browser keeps unsaved edits of{" "}
      {counts.map(([caseId, edits]) => (
        <a key={caseId} href={linkTo.case(project.id, caseId)}>
          {caseId} ({edits})
        </a>
      ))}
      . Open the case to save them.
    </p>
  );
}
