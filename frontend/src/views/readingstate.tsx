/** How far a case is, as chips: its readings, whom it was returned to, and what counts for it. */
import type { CaseLine, CaseReading, Project } from "../api/types";

interface ChipProps {
  progress: CaseReading;
  /** Whom it was returned to. */
  to?: string | null;
  testid?: string;
}

export function ReadingChip({ progress, to = null, testid }: ChipProps) {
  return (
    <span class={`state state-${progress.state.replace(" ", "-")}`} data-testid={testid}>
      {progress.words}
      {to !== null && (
        <>
          {" to "}
          <bdi>{to}</bdi>
        </>
      )}
    </span>
  );
}

/** Whether readings say more about the cases of a project than their state does. */
export const readsSeveral = ({ settings }: Project): boolean =>
  (settings.readings ?? 1) > 1 || (settings.read_twice ?? 0) > 0 || (settings.review ?? "none") !== "none";

export function ReadingChips({ row, several }: { row: CaseLine; several: boolean }) {
  const { progress, returned_to: to, decided } = row;
  const tells = progress.state !== row.state && (several || progress.needed > 1 || progress.state === "returned");
  return (
    <>
      {tells && <ReadingChip progress={progress} to={to} testid={`reading-${row.id}`} />}
      {decided !== "" && <span class="state">{decided}</span>}
    </>
  );
}
