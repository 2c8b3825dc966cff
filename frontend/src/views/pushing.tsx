/** Chosen cases go back to their archive as DICOM objects. */
import { useEffect, useState } from "preact/hooks";
import { pushCases, readArchives } from "../api/calls";
import type { Project, PushBody } from "../api/types";
import { tell, tellError } from "../state/notices";

const FORMATS: readonly (readonly [NonNullable<PushBody["format"]>, string])[] = [
  ["dicom-seg", "SEG"],
  ["dicom-labelmap", "Labelmap SEG"],
  ["rtstruct", "RTSTRUCT"],
  ["dicom-sr", "SR (measurements)"],
];

export function PushMenu({ project, chosen }: { project: Project; chosen: ReadonlySet<string> }) {
  const [servers, setServers] = useState<string[]>([]);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    readArchives(project.id)
      .then((found) => setServers(found.servers))
      .catch(tellError);
  }, [project.id]);
  if (servers.length === 0) return null;
  const push = (value: string): void => {
    const [format, server] = value.split("|") as [NonNullable<PushBody["format"]>, string];
    setBusy(true);
    pushCases(project.id, { server, format, case_ids: [...chosen] })
      .then(() => tell("info", "The push is queued: its progress stands among the jobs"))
      .catch(tellError)
      .finally(() => setBusy(false));
  };
  return (
    <select value="" disabled={busy} aria-label="Push to archive" data-testid="bulk-push" onChange={(event) => push(event.currentTarget.value)}>
      <option value="">Push to archive …</option>
      {servers.flatMap((server) =>
        FORMATS.map(([format, name]) => (
          <option key={server + format} value={`${format}|${server}`}>
            {servers.length > 1 ? `${name} to ${server}` : name}
          </option>
        )),
      )}
    </select>
  );
}
