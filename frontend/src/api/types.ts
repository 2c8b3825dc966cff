/** The shapes of `/api/v1`, and what the page calls them. Arrays of voxels never travel as JSON. */
import type * as S from "./shapes";

export type * from "./shapes";
export type CaseHeader = S.Case;
export type ModelMatrix = S.Matrix;
export type Reference = S.Reference;
export type { Acquisition, Archives, FindBody, Found, FoundStudy, JobRef, PullBody, PushBody, RemovedReference } from "./shapes";
export type OneTimeLink = S.Link;
export type Verb = S.Me["verbs"][number];
export type Role = S.Me["gives"][number];
export type Expertise = NonNullable<S.ProjectPerson["expertise"]>;
export type PlaneHeader = S.Plane;
export type PlaneName = S.Plane["name"];
export type StopAdvice = S.Advice;
export type TaskKind = S.Task["kind"];
export type Method = S.Explanation["method"];
export type Decision = S.TriagedCase["decision"];
export type SettingValue = S.Setting["value"];
export type Grouping = "person" | "round" | "case" | "annotation" | "proposal";
export type CaseState = "all" | "unlabelled" | "annotated" | "skipped" | "flagged";
export type ReadingFilter = "any" | "read" | "in review" | "accepted" | "returned";
export type Meaning = NonNullable<S.ApproveBody["meaning"]>;
/** (start, length, value): `length` voxels from flat index `start` (I fastest) become `value`. */
export type Run = [start: number, length: number, value: number];
export type Triple = [number, number, number];
/** A slice or a box that a case is queried for. */
export type QueriedPart = S.SliceBody | S.BoxBody;
/** A box of voxels from `start` up to, not including, `stop`. */
export type Region = S.BoxBody;

export type PointPrompt = Required<S.PointBody>;
export type ScribblePrompt = Required<S.ScribbleBody>;
export type BoxPrompt = Required<S.BoxPromptBody>;
export type ExtremePointsPrompt = Required<S.ExtremePointsBody>;
export type LassoPrompt = Required<S.LassoBody>;
export type Prompt = PointPrompt | ScribblePrompt | BoxPrompt | ExtremePointsPrompt | LassoPrompt;

export interface PromptLog extends Omit<S.Prompts, "prompts"> {
  prompts: (Omit<S.Prompt, "prompt"> & { prompt: Prompt })[];
}

/** Prompts whose effect a patch takes back or brings back, and whether it is something that the model proposed, labels carried to other frames, or the proposal of a trace. */
/** Steps that led to a mask, with the prompts of each. */
export interface DraftSteps extends Omit<S.DraftSteps, "steps"> {
  steps: DraftStep[];
}
export type DraftStep = Omit<S.DraftStep, "prompts"> & { prompts: Prompt[] };
export type Propagated = S.Propagated;
export type Traced = S.Traced;
export type NamedSlice = S.NamedSlice;
export type Link = Pick<S.DraftEdit, "withdraws" | "restores"> & { taken?: true; propagated?: true; traced?: true };
