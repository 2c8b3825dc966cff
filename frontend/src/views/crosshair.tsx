/** What stands under the pointer and at the crosshair: voxel, value in its unit, place in the patient, label. */
import { lineOf, readoutAt } from "../state/readout";
import type { CaseSession } from "../state/session";

/** One line: under the pointer, else at the crosshair. */
export function ReadoutLine({ session }: { session: CaseSession }) {
  const pointed = session.pointed.value;
  session.arrived.value;
  session.draft.value?.changes.value;
  if (!pointed && session.isFlat) return null;
  return (
    <span class="readout" data-testid={pointed ? "under-pointer" : "at-crosshair"}>
      {pointed ? "" : "Crosshair "}
      {lineOf(readoutAt(session, pointed ?? session.crosshair.value))}
    </span>
  );
}

/** The fourth field of two by two. */
export function CrosshairTable({ session }: { session: CaseSession }) {
  session.arrived.value;
  session.draft.value?.changes.value;
  const { voxel, value, place, label } = readoutAt(session, session.crosshair.value);
  const { modality, looks_like, unit, colour } = session.header;
  return (
    <section class="pane-facts" aria-label="At the crosshair" data-testid="crosshair-table">
      <h3>At the crosshair</h3>
      <dl class="facts">
        <dt>Voxel</dt>
        <dd>{voxel}</dd>
        <dt>Place</dt>
        <dd>{place || "not known: the file has no orientation or size"}</dd>
        <dt>Value</dt>
        <dd>{unit || colour ? value : `${value}, unit not known`}</dd>
        <dt>Label</dt>
        <dd>{label || "none"}</dd>
        <dt>Modality</dt>
        <dd>{modality || (looks_like ? `not known; the values look like ${looks_like}` : "not known")}</dd>
      </dl>
    </section>
  );
}
