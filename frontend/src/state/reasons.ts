/** Where the model looks and which cases it finds alike; and the reader's word that this reason is wrong. */
import * as calls from "../api/calls";
import type { Method, Objection, Region, Similar } from "../api/types";
import { unpackVoxels } from "../api/unpack";
import { voxelCount } from "../geometry/plane";
import type { Reason } from "./advice";
import { hiddenYet, requireModel } from "./models";
import { tellError } from "./notices";
import { askForBox } from "./region";
import type { CaseSession } from "./session";

export const METHODS: Record<Method, { name: string; shows: string; signed: boolean }> = {
  "grad-cam": { name: "Grad-CAM", shows: "evidence in deep features: coarse, quick", signed: false },
  "integrated-gradients": { name: "Gradients", shows: "evidence for and against, voxel by voxel: some seconds", signed: true },
  occlusion: { name: "Occlusion", shows: "what the prediction loses when a place is hidden: slow", signed: true },
};

/** The label in the hand; of a classification the class chosen, else the likeliest one. */
export function explainedLabel(session: CaseSession): number {
  if (session.project.kind === "segmentation") return session.label.value;
  const probabilities = (session.prediction.value?.probabilities ?? []).map((share) => share ?? 0);
  const likeliest = session.labels[probabilities.indexOf(Math.max(...probabilities))];
  return session.tag.value ?? likeliest?.value ?? session.labels[0]!.value;
}

export function toggleReasons(session: CaseSession): void {
  const { advice } = session;
  if (!advice.reasonShown.value && hiddenYet(session)) return;
  advice.reasonShown.value = !advice.reasonShown.value;
  advice.message.value = "";
}

/** Ask what is not known yet: the map of this label by this method, and once per case the cases alike. */
export function askReasons(session: CaseSession, label: number, method: Method): void {
  const { reason, similar } = session.advice;
  const known = reason.value?.label === label && reason.value.method === method;
  const requested = known ? Promise.resolve() : reason.request((signal) => readReason(session, label, method, signal));
  void requested.then(() => tellReason(session));
  if (!similar.value && !similar.pending) void similar.request((signal) => readSimilar(session, signal));
}

function tellReason(session: CaseSession): void {
  const drawn = session.advice.drawnReason;
  if (!drawn) return;
  const name = session.labels.find(({ value }) => value === drawn.label)?.name;
  session.advice.message.value = `Green: evidence for ${name}${METHODS[drawn.method].signed ? ", magenta: against it" : ""}  ·  draw a box around what is irrelevant, then “This reason is wrong”`;
}

async function readReason(session: CaseSession, label: number, method: Method, signal: AbortSignal): Promise<Reason> {
  await requireModel(session);
  const found = await calls.readExplanation(session.project.id, session.header.id, label, method, signal);
  return { label, method, map: await unpackVoxels(found.map, voxelCount(session.header.shape)), gap: found.gap };
}

async function readSimilar(session: CaseSession, signal: AbortSignal): Promise<Similar> {
  await requireModel(session);
  return calls.readSimilar(session.project.id, session.header.id, signal);
}

/** "This reason is wrong": what lies in the box, and in those before it, must not count as evidence. */
export async function objectToReason(session: CaseSession): Promise<void> {
  const { advice } = session;
  const region = advice.region.value;
  if (!advice.drawnReason) return;
  if (!region) return askForBox(session, "“This reason is wrong”: what lies in it must not count as evidence");
  const earlier = advice.drawnObjections.filter((other) => JSON.stringify(other) !== JSON.stringify(region));
  const made = await record(session, [...earlier, region]);
  const where = earlier.length === 0 ? "the box" : `${earlier.length + 1} boxes`;
  if (made) advice.message.value = `Recorded: ${made.voxels} voxels in ${where} must not count as evidence; “Take back” withdraws it`;
}

export async function withdrawObjection(session: CaseSession): Promise<void> {
  if (!session.advice.drawnReason) return;
  if (await record(session, [])) session.advice.message.value = "Taken back: no objection of yours to this reason stands";
}

async function record({ advice, project, header }: CaseSession, regions: Region[]): Promise<Objection | null> {
  const { label, method } = advice.drawnReason!;
  try {
    const made = await calls.sendObjection(project.id, header.id, { label, method, regions, reason: advice.objectionWords.value.trim() });
    advice.objected.value = new Map(advice.objected.value).set(label, regions);
    return made;
  } catch (error) {
    tellError(error);
    return null;
  }
}
