/** How far a case is, as chips: its readings, whom it was returned to, and what counts for it. */
import type { CaseLine, CaseReading, Project } from "../api/types";

export function ReadingChip({ progress, testid }: { progress: CaseReading; testid?: string }) {
  return (
    <span class={`state state-${progress.state.replace(" ", "-")}`} data-testid={testid}>
      {progress.words}
    </span>
  );
}

/** Whether readings say more about the cases of a project than their state does. */
export const readsSeveral = ({ settings }: Project): boolean =>
  (settings.readings ?? 1) > 1 || (settings.read_twice ?? 0) > 0 || (settings.review ?? "none") !== "none";

export function ReadingChips({ row, several }: { row: CaseLine; several: boolean }) {
  const { progress, returned_to: to, decided } = row;
  return (
    <>
      {(several || progress.needed > 1 || progress.state === "returned") && <ReadingChip progress={progress} testid={`reading-${row.id}`} />}
      {to !== null && (
        <span class="hint reason" data-testid={`returned-${row.id}`}>
          returned to <bdi>{to}</bdi>
        </span>
      )}
      {decided !== "" && <span class="state">{decided}</span>}
    </>
  );
}
