/** A case on the screen without a screen: enough of a session for tools, keys and verbs. */
import { me } from "../src/api/me";
import type { CaseHeader, Me, Opened, Prediction, Preset, Project, TaskKind, Triple } from "../src/api/types";
import { Draft } from "../src/edits/draft";
import { EffortTimer } from "../src/edits/effort";
import { CaseSession, type Purpose } from "../src/state/session";
import type { PaneContact } from "../src/tools/contact";
import { bytesOf, volumeOf } from "../src/volume/volume";
import { planeOf } from "./scene";

/** What the server says where there are no accounts. */
export const ALONE: Me = {
  accounts: false,
  name: "local",
  csrf: "",
  roles: {},
  projects: [],
  verbs: ["look", "annotate", "review", "sign", "add", "decide", "train", "export", "manage", "administer"],
  gives: [],
  preferences: { keys: {}, introduced: true },
};
me.value = ALONE;

export const presetOf = (name: string, low: number, high: number, curve: Preset["curve"] = "exact"): Preset => ({ name, low, high, curve, explanation: "" });

export function headerOf(shape: Triple, more: Partial<CaseHeader> = {}): CaseHeader {
  return {
    id: "c1",
    name: "case_012",
    patient: "p",
    split: "train",
    shape,
    over_time: false,
    references: 0,
    frame_seconds: [],
    spacing_mm: [1, 1, 1],
    affine: [
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ],
    dtype: "uint8",
    channels: 1,
    window: [0, 100],
    value_range: [0, 255],
    notes: [],
    oriented: true,
    planes: [planeOf(2, 0, 1, false, false)],
    presets: [],
    channel_presets: Array.from({ length: more.channels ?? 1 }, () => [presetOf("Auto", 0, 100)]),
    colour: false,
    modality: "",
    looks_like: "",
    unit: "",
    inverted: false,
    sized: true,
    spaced: true,
    channel_names: [],
    channel_windows: [],
    ...more,
  };
}

export function projectOf(kind: TaskKind = "segmentation"): Project {
  const labels = [
    { value: 1, name: "one", colour: "#ff0000" },
    { value: 2, name: "two", colour: "#00ff00" },
    { value: 3, name: "three", colour: "#0000ff" },
  ];
  const counts = { total: 1, train: 1, validation: 0, test: 0, audit: 0, annotated: 0, skipped: 0, flagged: 0 };
  return {
    id: "p1",
    name: "P",
    kind,
    labels,
    shared: [],
    cases: 1,
    annotated: 0,
    model: null,
    round: null,
    instructions: "",
    task_version: 1,
    label_gaps: [],
    read_only: "",
    archives: false,
    damaged: [],
    oversized: [],
    settings: {},
    counts,
    strategy: "random",
    workers: { alive: true },
  };
}

/** An open case; with a mask it can be drawn on, and its image is there. */
export function sessionOf(
  mask: Uint8Array | null,
  header: CaseHeader,
  project = projectOf(),
  assignment: Partial<Opened["assignment"]> = {},
  purpose: Purpose = "read",
): CaseSession {
  const fresh: Omit<Opened["assignment"], "id" | "case_id" | "round_id" | "revision" | "reason" | "opened_at"> = {
    task_version: project.task_version,
    base: { kind: "blank" },
    standing: null,
    evaluation: false,
    withdrawn: null,
    kind: "",
    minutes: null,
    parts: [],
    frames: [],
    progress: { state: "unlabelled", words: "unlabelled", read: 0, needed: 1, agreement: null, quality: null },
    returned: null,
    active_seconds: 0,
    proposal_hidden: false,
    annotated: [1, 2, 3],
    queried_label: null,
  };
  const opened: Opened = {
    assignment: { id: "a1", case_id: header.id, round_id: null, revision: 0, reason: "", opened_at: "2026-11-03T10:00:00Z", ...fresh, ...assignment },
    case: header,
    prediction: null,
    previous: null,
  };
  const session = new CaseSession(project, opened, new EffortTimer(0), 0, purpose);
  session.volume.value = volumeOf(header, new ArrayBuffer(bytesOf(header)));
  if (mask) session.draft.value = new Draft(mask, session.guard);
  return session;
}

export function predictionOf(id: string): Prediction {
  const unknown = { probabilities: [], quality: null, quality_low: null, quality_high: null, scores: {} };
  return { id, case_id: "c1", model_index: 2, has_mask: true, has_uncertainty: false, ...unknown };
}

/** The axial pane, one point of the screen per pixel. */
export function paneOf(session: CaseSession): PaneContact {
  return {
    session,
    index: 0,
    plane: session.planes[0]!,
    place: () => ({ originX: -0.5, originY: -0.5, sizeX: 1, sizeY: 1, perMm: 1 }),
    centre: () => ({ x: 0, y: 0 }),
    painted: () => undefined,
  };
}
