/**
 * Measurements on their way to the server: shown at once, kept in this browser until they are confirmed, and sent again after a lost
 * connection, a reload or a crash. Their ids are made here, so that what is sent twice is measured once.
 */
import * as calls from "../api/calls";
import { ApiError, OfflineError } from "../api/errors";
import { annotatorName } from "../api/person";
import type { Measurement, MeasurementBody, MeasurementChange, Triple } from "../api/types";
import { leftOutboxes, Outbox } from "../edits/outbox";
import { leftBehind, tabIsGone } from "../edits/recovery";
import { type KeptMeasuring, openStorage } from "../edits/storage";
import { figuresOf, type Placed } from "../volume/figures";
import { tell, tellError } from "./notices";
import { isOwn, noteUnkept, TAB } from "./saving";
import type { CaseSession } from "./session";

export const measuringStorage = openStorage<KeptMeasuring>(globalThis.indexedDB, "medloop-measurements");

type Wanted = Pick<KeptMeasuring, "measurement" | "take" | "change">;

/** Numbers go on from one case of this window to the next. */
let seq = Date.now();

/** As the server makes ids. */
export const newMeasurementId = (): string =>
  `measurement-${[...crypto.getRandomValues(new Uint8Array(6))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;

export const channelsOf = ({ channel, header }: CaseSession): readonly number[] =>
  channel.value === "rgb" ? Array.from({ length: header.channels }, (_, n) => n) : [channel.value];

/** What is placed, measured by this page. */
export const previewOf = (session: CaseSession, placed: Placed) => figuresOf(placed, session.header, session.volume.value, channelsOf(session));

/** What the server keeps of the case, and on top of it what lies in this browser, which is sent on. */
export async function loadMeasurements(session: CaseSession): Promise<void> {
  const { measurements } = session;
  measurements.loaded = readKept(session).catch(tellError);
  await measurements.loaded;
  if (session.looksOnly || session.closed) return;
  const before = (await leftBehind(measuringStorage, session.header.id, TAB, tabIsGone)).filter(isOwn);
  const waiting = new Set(measurements.outbox?.unconfirmed.map((item) => item.seq));
  const left = before.filter((item) => item.tab !== TAB || !waiting.has(item.seq));
  if (left.length === 0 || session.closed) return;
  tell("info", `${left.length} change${left.length > 1 ? "s" : ""} of measurements kept in this browser came back`);
  for (const item of left) {
    keep(session, item.tab === TAB ? item : { ...item, tab: TAB, seq: ++seq });
    if (item.tab !== TAB) void measuringStorage.remove(item).catch(() => undefined);
  }
}

/** What the server has, and what still waits to be sent. */
async function readKept(session: CaseSession): Promise<void> {
  const { project, header, measurements } = session;
  await leftOutboxes();
  const kept: readonly Measurement[] = await calls.listMeasurements(project.id, header.id);
  measurements.kept.value = (measurements.outbox?.unconfirmed ?? []).reduce((all, item) => applied(session, all, item), kept);
}

/** Do it here at once, and have it sent. */
export function sendOn(session: CaseSession, wanted: Wanted): void {
  const { project, header, assignmentId } = session;
  const whose = { assignment: assignmentId, tab: TAB, person: annotatorName.value, project: project.id, caseId: header.id };
  keep(session, { ...whose, ...wanted, seq: ++seq, keptAt: Date.now() });
}

function keep(session: CaseSession, item: KeptMeasuring): void {
  const { measurements } = session;
  measurements.outbox ??= outboxOf(session);
  measurements.outbox.keep(item);
  measurements.kept.value = applied(session, measurements.kept.value, item);
  measurements.outbox.start();
}

function outboxOf(session: CaseSession): Outbox<KeptMeasuring> {
  const { measurements } = session;
  return new Outbox<KeptMeasuring>({
    storage: measuringStorage,
    pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    send: async (item) => {
      await measurements.loaded;
      confirm(session, await sendItem(session, item));
    },
    onState: (state, pending, unkept) => {
      measurements.sending.value = pending;
      measurements.unkept.value = unkept;
      noteUnkept(measurements, unkept);
      measurements.offline.value = state === "offline";
    },
    goOn: (error, { measurement }) => {
      tellError(error);
      void readKept(session).catch(() => undefined);
      return (other) => other.measurement === measurement;
    },
  });
}

/** A label is measured in a draft that holds what was drawn before it. */
async function sendItem(session: CaseSession, { project, caseId, measurement, take, change }: KeptMeasuring): Promise<Measurement> {
  if (!take) return calls.changeMeasurement(project, measurement, change!);
  if (take.kind === "label") await session.queue?.flushed().catch(() => refuseUnsaved(session));
  return calls.addMeasurement(project, caseId, { ...take, id: measurement });
}

/** What is left with its case waits for the next visit, as its edits do. */
function refuseUnsaved({ closed }: CaseSession): never {
  if (closed) throw new OfflineError();
  throw new ApiError(409, "not_saved", "The label was not measured, because its edits are not saved", "measure it again once they are");
}

/** The server's figures take the place of the page's, unless something else waits for this measurement. */
function confirm({ measurements }: CaseSession, made: Measurement): void {
  if (measurements.outbox!.unconfirmed.filter(({ measurement }) => measurement === made.id).length > 1) return;
  const { value } = measurements.kept;
  if (made.withdrawn_at) measurements.kept.value = value.filter(({ id }) => id !== made.id);
  else measurements.kept.value = value.some(({ id }) => id === made.id) ? value.map((one) => (one.id === made.id ? made : one)) : [...value, made];
}

/** The measurements as they are once this is done. */
function applied(session: CaseSession, kept: readonly Measurement[], item: KeptMeasuring): readonly Measurement[] {
  const { measurement, take, change } = item;
  const { removed } = session.measurements;
  const one = kept.find(({ id }) => id === measurement) ?? (take ? drawnUp(session, take, item) : change?.withdrawn === false && removed.get(measurement));
  if (!one) return kept;
  const others = (next: Measurement): Measurement[] => (kept.includes(one) ? kept.map((old) => (old === one ? next : old)) : [...kept, next]);
  if (change?.withdrawn) removed.set(measurement, one);
  return change?.withdrawn ? kept.filter((old) => old !== one) : others(change ? changed(session, one, change) : one);
}

function drawnUp(session: CaseSession, take: MeasurementBody, { measurement, keptAt, person = annotatorName.value, caseId }: KeptMeasuring): Measurement {
  const { kind, points = [], axis = null, index = null, channel = null, label = 0, note = "" } = take;
  const at = new Date(keptAt).toISOString();
  const figures = axis === null || index === null ? {} : previewOf(session, { kind, points, axis, index });
  const place = { case_id: caseId, points, points_mm: [], axis, index, channel };
  return { id: measurement, kind, ...place, label, figures, note, annotator: person, own: true, created_at: at, changed_at: at, withdrawn_at: null };
}

function changed(session: CaseSession, one: Measurement, { points, note }: MeasurementChange): Measurement {
  const named = { ...one, note: note ?? one.note };
  if (!points || one.axis === null) return named;
  const index = Math.round((points[0] as Triple)[one.axis]!);
  return { ...named, points, index, figures: previewOf(session, { kind: one.kind, points, axis: one.axis, index }) };
}
