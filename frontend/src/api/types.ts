/** The JSON shapes of `/api/v1`. Arrays of voxels never travel as JSON. */

export type TaskKind = "segmentation" | "classification";
export type PlaneName = "axial" | "coronal" | "sagittal";
/** (start, length, value): `length` voxels from flat index `start` (I fastest) become `value`. */
export type Run = [start: number, length: number, value: number];
export type Triple = [number, number, number];

/** Gestures, as `POST …/prompts` takes them. */
export interface PointPrompt {
  kind: "point";
  voxel: Triple;
  label: number;
  positive: boolean;
}

export interface ScribblePrompt {
  kind: "scribble";
  voxels: Triple[];
  label: number;
  positive: boolean;
}

/** The structure lies from `start` up to, not including, `stop`. */
export interface BoxPrompt {
  kind: "box";
  start: Triple;
  stop: Triple;
  label: number;
}

/** The structure's outermost voxels. */
export interface ExtremePointsPrompt {
  kind: "extreme_points";
  voxels: Triple[];
  label: number;
}

/** Gestures that this page does not make but that programs may have made. */
export interface OtherPrompt {
  kind: "lasso";
  label: number;
}

export type Prompt = PointPrompt | ScribblePrompt | BoxPrompt | ExtremePointsPrompt;

export interface Refined {
  prompt_id: string | null;
  prompt_ids: string[];
  revision: number;
  runs: Run[];
  quality: number | null;
  engine: string;
  seconds: number;
  /** What the reader should know of the answer, such as that it was only taken in part; "" mostly. */
  note?: string;
}

export interface PromptLog {
  prompts: { id: string; prompt: Prompt | OtherPrompt; quality: number | null; revision: number; withdrawn: number | null }[];
  in_force: string[];
}

/** A box of voxels from `start` up to, not including, `stop`. */
export interface Region {
  start: Triple;
  stop: Triple;
}

/** A slice (with its axis) or a region to look at; `gain` is how many wrong voxels a look should find. */
export interface Place extends Region {
  number: number;
  kind: "slice" | "region";
  axis: number | null;
  voxel: Triple;
  gain: number;
  seconds: number;
  reason: string;
  visited: boolean;
  changed: boolean;
}

export interface Places {
  places: Place[];
  next: number | null;
}

export type Method = "grad-cam" | "integrated-gradients" | "occlusion";

/** `map`: base64 of gzip of int8, -127 … 127, where 127 stands for `largest`. */
export interface Explanation extends Region {
  label: number;
  method: Method;
  map: string;
  largest: number | null;
  score: number | null;
  gap: number | null;
}

/** `information` in nats; `change` is the Dice by which the mask would move; `shares` by label value. */
export interface Hint {
  voxel: Triple;
  information: number;
  change: number;
  shares: Record<string, number>;
}

/** `mask`: base64 of gzip of uint8 label values. */
export interface Hypotheses {
  hypotheses: { mask: string; weight: number; spread: number }[];
  hints: Hint[];
}

export interface SimilarCases {
  by: "model" | "descriptors";
  cases: { case_id: string; name: string; distance: number; labels: string[]; quality: number | null }[];
}

export interface ObjectionBody {
  label: number;
  method: Method;
  /** None takes earlier objections back. */
  regions: Region[];
  reason: string;
}

export interface Objection {
  seq: number;
  label: number;
  method: Method;
  reason: string;
  voxels: number;
}

export interface Label {
  value: number;
  name: string;
  colour: string;
}

export interface ProjectSummary {
  id: string;
  name: string;
  kind: TaskKind;
  labels: Label[];
  cases: number;
  answered: number;
  model: { id: string; index: number } | null;
  round: { index: number; state: string } | null;
}

export interface CaseCounts {
  total: number;
  train: number;
  validation: number;
  test: number;
  audit: number;
  answered: number;
  skipped: number;
  flagged: number;
}

export interface Project extends ProjectSummary {
  instructions: string;
  task_version: number;
  /** Labels that were added after some annotations, which say nothing of them; in words. */
  label_gaps: string[];
  /** Why the project can be looked at only; "" where it can be changed. */
  read_only: string;
  settings: Record<string, unknown>;
  counts: CaseCounts;
  /** Cases whose stored bytes are damaged; they are left out of everything. */
  damaged?: { case_id: string; name: string; reason: string }[];
  /** Cases whose voxel size no model can compute on. */
  oversized?: { case_id: string; name: string; reason: string }[];
  strategy: string;
  workers: { alive: boolean };
}

export type CaseState = "all" | "unanswered" | "answered" | "skipped" | "flagged";

export interface CaseRow {
  id: string;
  name: string;
  patient: string;
  split: string;
  state: string;
  answers: number;
  /** Why it was skipped or flagged, and by whom. */
  reason?: string;
  reason_by?: string | null;
  quality: number | null;
  entropy: number | null;
}

export interface PlaneHeader {
  name: PlaneName;
  slice_axis: number;
  x_axis: number;
  y_axis: number;
  x_flip: boolean;
  y_flip: boolean;
  x_spacing_mm: number;
  y_spacing_mm: number;
  edges: [left: string, right: string, top: string, bottom: string];
}

export interface WindowPreset {
  name: string;
  low: number;
  high: number;
}

export interface CaseHeader {
  id: string;
  name: string;
  patient: string;
  split: string;
  shape: Triple;
  spacing_mm: Triple;
  affine: number[][];
  dtype: string;
  channels: number;
  window: [number, number];
  value_range: [number, number];
  notes: string[];
  planes: PlaneHeader[];
  presets: WindowPreset[];
  /** "" where the file does not say. */
  modality?: string;
  channel_names?: string[];
  /** One per channel. */
  channel_windows?: [number, number][];
}

export interface Prediction {
  id: string;
  model_index: number;
  probabilities: number[];
  quality: number | null;
  quality_low: number | null;
  quality_high: number | null;
  scores: Record<string, number>;
}

/** An annotation as far as a reader needs to know whose it is. */
export interface Signature {
  annotation_id: string | null;
  annotator: string | null;
  origin: "human" | "imported" | "simulated" | null;
  at: string | null;
}

/** What a draft began with. */
export interface Base extends Signature {
  kind: "blank" | "prediction" | "annotation";
  model_index: number | null;
}

/** A skip or flag that still stands. */
export interface Withdrawal {
  verb: "skipped" | "flagged";
  reason: string;
  by: string | null;
  at: string;
}

/** A slice or a box (start included, stop not) that a case is queried for. */
export type QueriedPart = { axis: number; index: number } | { start: Triple; stop: Triple };

export interface Assignment {
  id: string;
  case_id: string;
  round_id: string | null;
  revision: number;
  reason: string;
  opened_at: string;
  base?: Base;
  /** The annotation of this case in force, whoever made it. */
  standing?: Signature | null;
  /** Whether models are evaluated on this case. */
  evaluation?: boolean;
  withdrawn?: Withdrawal | null;
  /** What is queried of the case, and all that a submission keeps; empty for the whole. */
  parts?: QueriedPart[];
}

export interface Opened {
  assignment: Assignment;
  case: CaseHeader;
  prediction: Prediction | null;
  previous: { id?: string; annotation_id?: string; tag: number | null } | null;
}

export interface NothingLeft {
  assignment: null;
  reason: string;
}

export interface Upcoming {
  case_id: string | null;
  prediction_id: string | null;
}

export interface CurvePoint {
  model_index: number;
  labelled_cases: number;
  effort_minutes: number;
  split: string;
  metric: string;
  mean: number;
  /** Null where no interval can be given; `note` says why. */
  low: number | null;
  high: number | null;
  note?: string;
  selected?: boolean;
  /** Cases whose annotation began with a model's proposal. */
  leaning?: number;
}

/** A model against another one on the same evaluation patients. */
export interface Comparison {
  with_index: number;
  difference: number;
  low: number | null;
  high: number | null;
  patients: number;
  verdict: "better" | "worse" | "no difference shown" | "too few patients";
  text: string;
}

/** Whether to go on asking, and what the next batch should bring. */
export interface StopAdvice {
  stop: boolean;
  reasons: string[];
  expected_gain: number | null;
  interval: [number, number] | null;
  minutes: number | null;
}

export interface EffortRow {
  annotator: string;
  kind: string;
  answers: number;
  timed: number;
  median_seconds: number | null;
  minutes: number;
  cost: number;
}

export interface ClassCount {
  label: string;
  answered: number;
  queried: number;
}

export interface ModelRow {
  id: string;
  index: number;
  created_at: string;
  steps: number | null;
  seconds: number | null;
  cases: number | null;
  /** On `score_split`, the most trustworthy one it was evaluated on. */
  score?: number | null;
  low?: number | null;
  high?: number | null;
  score_split?: string;
  /** Why the score has no interval; "" where it has one, or without a score. */
  score_note?: string;
  /** Whether it proposes now. */
  live?: boolean;
  /** Whether a person chose it; newer models then stand back. */
  pinned?: boolean;
  comparison?: Comparison | null;
  /** It learned from the same annotations as the model before. */
  nothing_new?: boolean;
  /** Why it is in use, or not. */
  note?: string;
}

export interface RoundRow {
  index: number;
  state: string;
  strategy: string;
  cases: number;
  answered: number;
  message?: string;
}

export interface Progress {
  curve: CurvePoint[];
  labels_per_hour: number | null;
  answered: number;
  total: number;
  pool_quality: { mean: number | null; low_count: number; histogram: number[] } | null;
  models: ModelRow[];
  rounds: RoundRow[];
  effort: EffortRow[];
  queried: ClassCount[];
  stopping: StopAdvice;
  /** Why there is no expected quality. */
  pool_note?: string;
}

/** What filling between drawn slices did to the draft. */
export interface Filled {
  revision: number;
  runs: [number, number, number][];
  drawn: number[];
  filled: number;
}

export type Decision = "accept" | "review" | "second expert";

export interface TriagedCase {
  case_id: string;
  name: string;
  decision: Decision;
  score: number;
  expected: number | null;
  low: number | null;
  high: number | null;
  reason: string;
}

/** Scores above `above` are accepted; null accepts all. */
export interface Threshold {
  above: number | null;
  risk: number;
  bound: number;
  patients: number;
  coverage: number;
  accepted_loss: number;
}

export interface Triage {
  model_index: number;
  risk: number;
  good: number;
  hard: number;
  accept: Threshold;
  second: Threshold;
  splits: string[];
  /** Patients of every evaluated split, also of those left out. */
  evaluated?: Record<string, number>;
  optimistic: boolean;
  curve: { score: number | null; coverage: number; share_bad: number; share_of_all: number }[];
  cases: TriagedCase[];
  unpredicted: number;
}

export type SettingValue = string | number | boolean;

/** One setting as the server declares it. */
export interface Setting {
  name: string;
  value: SettingValue;
  default: SettingValue;
  help: string;
  /** From when on a change counts. */
  applies: string;
  choices: string[] | null;
  low: number | null;
  high: number | null;
}

export interface TaskView {
  version: number;
  kind: TaskKind;
  labels: Label[];
  instructions: string;
}

export interface Configuration {
  name: string;
  settings: Setting[];
  task: TaskView;
}

/** A label as a change of the task names it; without a value it is new. */
export interface LabelChange {
  value: number | null;
  name: string;
  colour?: string;
}

export interface TaskChange {
  version: number;
  name?: string;
  instructions?: string;
  labels?: LabelChange[];
}

export interface Changes {
  changes: { what: string; before: string; after: string; applies: string }[];
}

/** The sorted pool, or why it cannot be sorted yet. */
export interface TriageAnswer {
  found: Triage | null;
  reason: string;
  remedy: string;
}

export interface Job {
  id: string;
  kind: string;
  state: "queued" | "running" | "done" | "failed" | "cancelled";
  progress: number;
  message: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  error: string;
}

export interface LogLine {
  seq: number;
  at: string;
  text: string;
}
