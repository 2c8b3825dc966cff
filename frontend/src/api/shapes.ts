/** What the interface sends and takes, printed from the server's own shapes: `npm run shapes` writes this file anew. */

/** A preview to be saved. */
export interface AcceptanceBody {
  engine?: "auto" | "classical" | "network" | "any-label" | "nninteractive"; base_revision: number; locked?: number[]; prompts: (PointBody |
  ScribbleBody | BoxPromptBody | LassoBody | ExtremePointsBody)[]; effect: string;
}

/** Why an image had better be acquired again, and what helps. */
export interface AcquisitionReason {
  reason: "motion" | "field_of_view" | "contrast" | "noise" | "model_unsure"; words: string;
}

/** One number of an image, and up to which it is usual. */
export interface AcquisitionSign {
  name: string; words: string; reason: "motion" | "field_of_view" | "contrast" | "noise" | "model_unsure"; value: number | null; usual: number
  | null; score: number | null; unusual: boolean;
}

/** A verdict on an image; `picture` is the address of a PNG that it holds itself, "" for a case. */
export interface Acquisition {
  verdict: "accept" | "acquire again" | "unknown"; reasons: AcquisitionReason[]; signs: AcquisitionSign[]; alarm: number; compared_with:
  "annotated" | "unflagged" | ""; patients: number; model: number | null; expected: number | null; expected_low: number | null; expected_high:
  number | null; measures: Measure[]; notes: string[]; picture: string;
}

/** To which group the model in use is to be adapted, and how. */
export interface AdaptBody {
  by: string; value?: string; way?: "intensities" | "entropy";
}

/** A new prompt. */
export interface Addition {
  engine?: "auto" | "classical" | "network" | "any-label" | "nninteractive"; base_revision: number; locked?: number[]; prompt: PointBody |
  ScribbleBody | BoxPromptBody | LassoBody | ExtremePointsBody; earlier?: (PointBody | ScribbleBody | BoxPromptBody | LassoBody |
  ExtremePointsBody)[];
}

/** A decision between readings: rulings in order, on what stands; or the draft, or a class, of a case opened as its reviewer. */
export interface AdjudicateBody {
  choices?: RulingBody[]; assignment_id?: string | null; revision?: number | null; tag?: number | null; task_version?: number | null;
  annotation_id?: string | null; readings?: string[] | null; reviews?: string[] | null; comment?: string; effort_seconds?: number | null;
  effort?: EffortBody | null;
}

/** Who may begin real work without a tutorial. */
export interface AdmitBody {
  annotator: string;
}

/** Whether to go on querying, in words; the expected gain of the next batch with its 95 % interval, its minutes and their error. */
export interface Advice {
  stop: boolean; reasons: string[]; expected_gain: number | null; interval: [number, number] | null; minutes: number | null; minutes_note:
  string;
}

/** Mean agreement of the readings of a week, and of each label by its value. */
export interface AgreementWindow {
  start: string; cases: number; value: number | null; low: number | null; high: number | null; by_label: Record<string, number | null>;
}

/** The values of the labels that a draft is going to annotate. */
export interface AnnotatedBody {
  annotated: number[];
}

/** The values of the labels that a draft is going to annotate. */
export interface Annotated {
  annotated: number[];
}

/** What a project keeps of somebody who annotates; what is left out stays, and a limit of 0 is none. */
export interface AnnotatorBody {
  cost_per_minute?: number | null; expertise?: "novice" | "expert" | "consultant" | null; hours_per_week?: number | null; cases_per_week?:
  number | null;
}

/** What one annotator's annotations took, how right they are, and what they have to do. */
export interface AnnotatorLine {
  annotator: string; kind: string; annotations: number; cases: number; timed: number; median_seconds: number | null; minutes: number;
  idle_minutes: number | null; cost_per_minute: number; cost: number; skill: number | null; skill_low: number | null; skill_high: number |
  null; shared: number; edges: number | null; skill_by_image: number | null; skill_by_image_low: number | null; skill_by_image_high: number |
  null; open: number; returned: number; expertise: "novice" | "expert" | "consultant"; expected: number; expected_low: number; expected_high:
  number; hours_per_week: number | null; cases_per_week: number | null;
}

/** An approval. */
export interface ApproveBody {
  annotation_id?: string | null; readings?: string[] | null; reviews?: string[] | null; comment?: string; signed_as?: string; meaning?:
  "review" | "approval" | "responsibility" | "authorship"; effort?: EffortBody | null;
}

/** Names of the archives that may be contacted, and why there are none, in words. */
export interface Archives {
  servers: string[]; trouble: string;
}

/** An image that arrived, and its verdict or what was decided about it; `note` says why, or why nothing was. */
export interface Arrival {
  case_id: string; name: string; split: string; verdict: Verdict | null; decision: "" | "accepted" | "deferred" | "second reader"; note:
  string;
}

/** Which cases to give to whom; null takes them back. */
export interface AssignBody {
  case_ids: string[]; annotator: string | null;
}

/** How many cases were given or taken back, and those that could not be. */
export interface Assigned {
  cases: number; left: UnassignedCase[];
}

/** A roll back. */
export interface BackBody {
  index?: number | null;
}

/** What a draft began with; fields that do not belong to its kind are null. */
export interface Base {
  kind: "blank" | "prediction" | "annotation" | "elsewhere"; annotation_id?: string | null; annotator?: string | null; origin?: "human" |
  "imported" | "simulated" | "consensus" | "adjudicated" | "gold" | null; at?: string | null; lacking?: string[]; model_index?: number | null;
  model_name?: string;
}

/** A box of voxels (I, J, K) from `start` up to, not including, `stop`. */
export interface BoxBody {
  start: [number, number, number]; stop: [number, number, number];
}

/** The structure lies from `start` up to, not including, `stop`; a 2D box has one axis of length 1. */
export interface BoxPromptBody {
  kind: "box"; start: [number, number, number]; stop: [number, number, number]; label?: number;
}

/** One case in the worklist. */
export interface CaseLine {
  id: string; name: string; patient: string; split: string; state: string; annotations: number; quality: number | null; entropy: number |
  null; assignees: string[]; updated: string | null; round: number | null; reason: string; reason_by: string | null; open_with: string[];
  progress: CaseReading; returned_to: string | null; decided: "" | "consensus" | "adjudicated" | "restored"; lacking: string[]; given:
  string[]; domain_p: number | null; outside: boolean; acquisition: string; acquisition_why: string; acquisition_at: string | null;
}

/** The figures of one case, and whose mask they measure. */
export interface CaseMeasures {
  case_id: string; source: string; source_id: string; sized: boolean; coverage: number; measures: Measure[];
}

/** Where an open case stands; see `medloop.loop.overview.case_outlook.CaseOutlook`. */
export interface CaseOutlook {
  round: number | null; place: number; cases: number; left: number; verdict: string; expected: number | null; low: number | null; high: number
  | null; lacking: string;
}

/** A part of the worklist, how long it is, and behind which place the next part begins ("" at the end); of `by_round` the rounds. */
export interface CasePage {
  total: number; rows: CaseLine[]; cursor: string; rounds: RoundCases[];
}

/** How far the readings of a case are; `words` says it to people. With routing `quality` is what is expected of the consensus. */
export interface CaseReading {
  state: "unlabelled" | "in progress" | "read" | "in review" | "accepted" | "returned"; words: string; read: number; needed: number;
  agreement: number | null; quality: number | null;
}

/** A case, and the chance that one like those the model was judged on lies as far from what it learned. */
export interface CaseStanding {
  case_id: string; name: string; group: string; p: number; outside: boolean;
}

/** Everything needed to draw a case's voxels. */
export interface Case {
  id: string; name: string; patient: string; split: string; shape: [number, number, number]; spacing_mm: [number, number, number]; affine:
  number[][]; dtype: string; channels: number; window: [number, number]; value_range: [number, number]; notes: string[]; planes: Plane[];
  presets: Preset[]; channel_presets: Preset[][]; colour: boolean; modality: string; looks_like: string; unit: string; inverted: boolean;
  oriented: boolean; sized: boolean; spaced: boolean; channel_names: string[]; channel_windows: [number, number][]; over_time: boolean;
  frame_seconds: number[]; references: number;
}

/** What a case took on average, of those with a recorded time. */
export interface CaseWork {
  cases: number; minutes: number; strokes: number | null; prompts: number | null; slices: number | null;
}

/** Put a prompt in another's place. */
export interface Change {
  engine?: "auto" | "classical" | "network" | "any-label" | "nninteractive"; base_revision: number; locked?: number[]; prompt: PointBody |
  ScribbleBody | BoxPromptBody | LassoBody | ExtremePointsBody;
}

/** One evaluation case: why it is shown, and its score by the older and by the newer model. */
export interface ChangedCase {
  word: string; case_id: string; name: string; before: number; after: number;
}

/** One value that changed, and from when on it counts. */
export interface Changed {
  what: string; before: string; after: string; applies: string;
}

/** What a request changed; empty when everything was so already. */
export interface Changes {
  changes: Changed[];
}

/** What came of it: the round, its cases in order, and those that could not be queried. */
export interface Chosen {
  round: number; case_ids: string[]; left: Left[];
}

/** One label: annotated training cases that hold it, how many of them a query chose, and how many of `cases` say something of it. */
export interface ClassCount {
  label: string; annotated: number; queried: number; known: number; cases: number;
}

/** An assignment after it was closed without an annotation, or was not. */
export interface Closed {
  assignment_id: string; state: string; next: boolean;
}

/** A model against the one in use when it was judged, on the same patients; `low` and `high` are null where they are too few. */
export interface Comparison {
  with_index: number; difference: number | null; low: number | null; high: number | null; patients: number; verdict: string; text: string;
}

/** Everything of a project that can be changed. */
export interface Configuration {
  name: string; settings: Setting[]; task: Task;
}

/** A consensus: skills by annotator's name, agreement by label value; its uncertainty per voxel is at /consensuses/{id}/uncertainty. */
export interface Consensus {
  id: string; method: string; annotation_id: string; in_force: boolean; at: string; agreement: number | null; agreement_by_label:
  Record<string, number>; skills: Record<string, Skill>; probabilities: number[]; uncertainty: boolean; note: string;
}

/** Cases by split and by how far they are. */
export interface Counts {
  total: number; train: number; validation: number; test: number; audit: number; annotated: number; skipped: number; flagged: number;
}

/** One model on one split; without an interval, `note` says why. */
export interface CurvePoint {
  model_index: number; labelled_cases: number; effort_minutes: number; split: string; metric: string; mean: number | null; low: number | null;
  high: number | null; selected: boolean; note: string; leaning: number; warning: string; surface: string;
}

/** A case that is left out because its bytes are damaged or gone, or because its voxel size makes it too large to compute on. */
export interface Damaged {
  case_id: string; name: string; reason: string; remedy: string;
}

/** A case and what was decided; `decision` is empty for one of the audit sample that nobody has read so far. */
export interface DisposedCase {
  case_id: string; name: string; decision: "" | "accepted" | "deferred" | "second reader"; reason: string; score: number | null; model_index:
  number; above: number | null; at: string; stands: boolean; annotated: boolean;
}

/** One autosaved edit. */
export interface DraftEdit {
  base_revision: number; runs: [number, number, number][]; withdraws?: string[]; restores?: string[]; locked?: number[]; taken?: boolean;
  propagated?: boolean; traced?: boolean;
}

/** One saved edit of a draft: what it was, when, its runs, and the prompts it holds the effect of with who refined. */
export interface DraftStep {
  revision: number; what: string; at: string; runs: [number, number, number][]; prompts: Record<string, unknown>[]; engine: string;
}

/** All of them, oldest first, whose they are, and the runs that make what the draft began with out of background. */
export interface DraftSteps {
  who: string; began: [number, number, number][]; steps: DraftStep[];
}

/** One model over the pool that it saw, by the cases drawn since and their chances; `plain` is their biased mean as they are. */
export interface DrawnEstimate {
  model_index: number; mean: number | null; low: number | null; high: number | null; note: string; cases: number; patients: number; pool:
  number; plain: number | null; warning: string;
}

/** The groups of unlabelled cases, and every compared case, the least likely first; `unread` images are left for the next request. */
export interface DriftReport {
  model_index: number; by: string; groups: GroupDrift[]; cases: CaseStanding[]; unpredicted: number; note: string; unread: number;
}

/** The report, or why there is none yet and what to do about it; `imported` compares with what imported models learned from. */
export interface DriftResult {
  found: DriftReport | null; reason: string; remedy: string; imported: string[];
}

/** One test of a group; `corrected` is its p-value for all tests of the report together. */
export interface DriftTest {
  kind: "embedding" | "classifier" | "intensities" | "calibration"; about: string; statistic: number; p: number; effect: number; effect_name:
  string; corrected: number;
}

/** An image that is to be removed, and who has its case open, which keeps it for now. */
export interface DueImage {
  case_id: string; name: string; added_at: string; due_at: string; open_with: string[];
}

/** What a client knows of its work on an assignment in one session, all of it so far; what is left out is unknown. */
export interface EffortBody {
  session: string; active_seconds?: number | null; idle_seconds?: number | null; first_stroke_seconds?: number | null; strokes?: number |
  null; prompts?: number | null; slices_viewed?: number | null; undos?: number | null; proposal?: "shown" | "hidden" | "none" | null;
  ago_seconds?: number;
}

/** What one annotator's work took: minutes of all of it, each at the rate of its time; the rate is today's. */
export interface EffortLine {
  annotator: string; kind: string; annotations: number; cases: number; timed: number; median_seconds: number | null; minutes: number;
  idle_minutes: number | null; cost_per_minute: number; cost: number;
}

/** Who computes prompts on a case. */
export interface Engine {
  engine: string;
}

/** A map of evidence: base64 of gzip of int8 in file order, -127 to 127, where 127 stands for `largest`. */
export interface Explanation {
  label: number; method: "grad-cam" | "integrated-gradients" | "occlusion"; map: string; largest: number | null; score: number | null;
  baseline: number | null; gap: number | null; start: [number, number, number]; stop: [number, number, number];
}

/** Outermost voxels of the structure. */
export interface ExtremePointsBody {
  kind: "extreme_points"; voxels: [number, number, number][]; label?: number;
}

/** A round: updates that counted, site → why its update was left out, and sites that were missing. */
export interface FederatedRound {
  round: number; seconds: number; sites: SiteUpdate[]; left_out: Record<string, string>; missing: string[];
}

/** ε and δ of all federations with noise together, how many these are, and how many had none. */
export interface FederationAccount {
  epsilon: number; delta: number; federations: number; without_noise: number;
}

/** A federation: `dice` of its result by split on this site's evaluation patients, `privacy` empty without noise. */
export interface Federation {
  id: string; model_index: number; standing: string; strategy: string; rounds_held: number; rounds_planned: number; sites: string[]; cases:
  number; terms: Record<string, unknown>; rounds: FederatedRound[]; dice: Record<string, number>; privacy: Record<string, unknown>;
}

/** The federations of a project, the newest first. */
export interface Federations {
  federations: Federation[]; account: FederationAccount;
}

/** What came of a gold case. */
export interface Feedback {
  case: string; score: number | null; by_label: Record<string, number>; given: string; truth: string; mean: MeanScore | null; tutorial:
  Tutorial | null; instructions: string; note: string;
}

/** A mean over patients with its interval; without one, `note` says why. */
export interface Figure {
  mean: number | null; low: number | null; high: number | null; groups: number; note: string;
}

/** Which slices to fill between those drawn on. */
export interface FillBody {
  base_revision: number; axis: number; locked?: number[];
}

/** What a filling did: `runs` lead to `revision`; the slices drawn on, and how many have changed. */
export interface Filled {
  revision: number; runs: [number, number, number][]; drawn: number[]; filled: number;
}

/** What to look for; everything that is given must fit, and something must be. `server` may be left out where one is listed. */
export interface FindBody {
  server?: string; patient?: string; name?: string; date?: string; modality?: string; accession?: string; limit?: number;
}

/** A study of an archive, for who looks; nothing of it is kept. */
export interface FoundStudy {
  study: string; patient: string; date: string; modalities: string; description: string; series: number | null; instances: number | null;
}

/** Studies that fit, and whether there are more. */
export interface Found {
  server: string; studies: FoundStudy[]; more: boolean;
}

/** A gold case: whether it is in use, by how many it was read, and their mean score. */
export interface GoldLine {
  case: string; case_id: string; by: string; since: string; in_use: boolean; readings: number; mean: number | null; note: string;
}

/** Somebody held against gold cases: their score, and how many they have not seen; whether real work waits for their tutorial. */
export interface GoldPerson {
  annotator: string; readings: number; score: MeanScore | null; left: number; tutorial: string; waits: boolean;
}

/** Gold cases, people, and what stands in the way, in words. */
export interface GoldStanding {
  cases: GoldLine[]; people: GoldPerson[]; warnings: string[];
}

/** What is found of one group, with whom it was compared; `outside` cases by their own p-value, null if unknown. */
export interface GroupDrift {
  group: string; cases: number; patients: number; reference: string; reference_cases: number; reference_patients: number; tests: DriftTest[];
  outside: number | null; verdict: "drift" | "other images" | "none shown" | "too few"; meaning: string; notes: string[];
}

/** A one-time link at the only moment it is shown: an address of the page with the secret in its fragment. */
export interface HandedLink {
  person_id: string; use: "invitation" | "reset"; path: string; expires_at: string;
}

/** Signs of life. */
export interface Health {
  status: "ok"; version: string;
}

/** One thing that happened to a case. */
export interface HistoryLine {
  at: string; who: string; what: string; annotation_id: string; in_force: boolean; changes: LabelChange[]; comment: string; restorable:
  boolean; lacking: string[]; replayable: boolean;
}

/** What the model might have meant, likeliest first, and where one prompt would change most. */
export interface Hypotheses {
  hypotheses: Hypothesis[]; suggested_prompts: SuggestedPrompt[];
}

/** One distinct mask: base64 of gzip of uint8 label values in file order, and its share of the samples. */
export interface Hypothesis {
  mask: string; weight: number; spread: number;
}

/** Somebody to invite; `project_id` is null for all projects. */
export interface InviteBody {
  name: string; role: "administrator" | "lead" | "reviewer" | "annotator" | "viewer"; project_id?: string | null;
}

/** A job that now waits or runs. */
export interface JobRef {
  job_id: string;
}

/** Where a job is. */
export interface JobState {

}

/** Background work. */
export interface Job {
  id: string; kind: string; state: JobState; progress: number; message: string; created_at: string; started_at: string | null; finished_at:
  string | null; error: string; result_message: string;
}

/** A label as it should be: `value` names one that exists, null makes a new one; without a colour it keeps or gets one. */
export interface LabelBody {
  value: number | null; name: string; colour?: string | null;
}

/** What changed in one label: voxels added and removed, and the change of volume in ml. */
export interface LabelChange {
  label: string; added: number; removed: number; ml: number;
}

/** One label of the task: the label that it lies inside of, and those that it overlaps. */
export interface Label {
  value: number; name: string; colour: string; inside?: number | null; overlaps?: number[]; drawn?: Record<string, number>; left?:
  Record<string, number>;
}

/** A closed outline on one slice; corners in the two other axes, in order. */
export interface LassoBody {
  kind: "lasso"; axis: number; index: number; corners: [number, number][]; label?: number; positive?: boolean;
}

/** One tensor of the network: what it took of the weights brought, how, and why not. */
export interface Layer {
  name: string; shape: number[]; source: string; how: string; why: string;
}

/** One annotator and label: the probability that what is the label is annotated so, and how many annotations hold it. */
export interface LearnedSkill {
  annotator: string; label: string; skill: number; annotations: number; holding: number; model_index: number; method: string;
}

/** To sign in with the provider; whoever comes back takes up the one-time link, if there is one. */
export interface LeaveBody {
  link?: LinkSecret | null;
}

/** An address at the provider, to go to. */
export interface Leave {
  address: string;
}

/** A case that was not queried, and why. */
export interface Left {
  case: string; why: string;
}

/** A one-time link's secret (the fragment of its address); without a password it only says whose it is. */
export interface LinkBody {
  secret: string; password?: string | null;
}

/** A one-time link, as its address has it. */
export interface LinkSecret {
  use: "invitation" | "reset"; secret: string;
}

/** Whose a one-time link is, and until when it may be used. */
export interface Link {
  name: string; use: "invitation" | "reset"; expires_at: string;
}

/** One line of a job's log. */
export interface LogLine {
  seq: number; at: string; text: string;
}

/** Lines of a job's log, in order. */
export interface Log {
  lines: LogLine[];
}

/** How the pool is laid out. */
export interface MapBody {
  described?: "auto" | "model" | "images"; layout?: "pca" | "tsne";
}

/** Marks that finish an open case. */
export interface MarksBody {
  marks: Record<string, unknown>[]; annotated?: number[] | null; effort_seconds?: number | null; effort?: EffortBody | null; task_version?:
  number | null;
}

/** One's own marks of a case in force; no id and none where there are none. */
export interface Marks {
  annotation_id: string | null; marks: Record<string, unknown>[];
}

/** One model on every group; null where it was held against none of its cases; `outdated` where annotations came since. */
export interface MatrixRow {
  model: number; live: boolean; cells: (Figure | null)[]; outdated: boolean;
}

/** Every model on every group of evaluation patients; `first` is the first model that learned cases of a group, 0 for none. */
export interface Matrix {
  by: string; metric: string; groups: string[]; first: number[]; rows: MatrixRow[]; transfers: Transfers[]; backward: number | null;
  forgetting: number | null; forward: number | null; remembering: number | null; offered: string[]; notes: string[];
}

/** Who is signed in. */
export interface Me {
  accounts: boolean; name: string; csrf: string; roles: Record<string, "administrator" | "lead" | "reviewer" | "annotator" | "viewer">;
  projects: ProjectRights[]; verbs: ("look" | "annotate" | "review" | "sign" | "add" | "decide" | "train" | "export" | "manage" |
  "administer")[]; gives: ("administrator" | "lead" | "reviewer" | "annotator" | "viewer")[]; preferences: Preferences;
}

/** A mean score on gold cases with its 90 % interval; without one `note` says why. */
export interface MeanScore {
  mean: number; low: number | null; high: number | null; groups: number; note: string;
}

/** One figure of one structure; bounds only for predictions. */
export interface Measure {
  label: string; name: string; value: number | null; unit: string; low: number | null; high: number | null; accepted: boolean | null; reason:
  string;
}

/** What to measure. */
export interface MeasurementBody {
  kind: "length" | "angle" | "ellipse" | "rectangle" | "label"; points?: [number, number, number][]; axis?: number | null; index?: number |
  null; channel?: number | null; label?: number; assignment_id?: string | null; revision?: number | null; note?: string; id?: string | null;
}

/** What changes of a measurement: its points, its name, or whether it stands. */
export interface MeasurementChange {
  points?: [number, number, number][] | null; note?: string | null; withdrawn?: boolean | null;
}

/** A measurement that stands, or was just withdrawn. */
export interface Measurement {
  id: string; case_id: string; kind: "length" | "angle" | "ellipse" | "rectangle" | "label"; points: [number, number, number][]; points_mm:
  [number, number, number][]; axis: number | null; index: number | null; channel: number | null; label: number; figures: Record<string,
  number>; note: string; annotator: string; own: boolean; created_at: string; changed_at: string; withdrawn_at: string | null;
}

/** The model in use. */
export interface ModelBrief {
  id: string; index: number;
}

/** The newer of the last two models less the older one, on the same evaluation cases, with a few of them. */
export interface ModelChange {
  older: number; newer: number; split: string; mean: number; low: number | null; high: number | null; note: string; patients: number; better:
  number; worse: number; cases: ChangedCase[];
}

/** One model: what it learned from, its score, whether it is in use (`live`) and why (`note`). */
export interface ModelLine {
  id: string; index: number; created_at: string; steps: number; seconds: number; cases: number; learned: number; score: number | null; low:
  number | null; high: number | null; score_split: string; live: boolean; pinned: boolean; note: string; comparison: Comparison | null;
  nothing_new: boolean; score_note: string; calibration: string; candidate: boolean; gate: string[]; before: boolean; on_trial: boolean;
  trial: string[];
}

/** The named frames of an open case, and the parts of it that a submission counts. */
export interface NamedFrames {
  frames: NamedSlice[]; parts: (SliceBody | BoxBody)[];
}

/** A name of the project's template, and the slice that it stands for; `placed` by a person, else by the template. */
export interface NamedSlice {
  name: string; axis: number; index: number; placed: boolean;
}

/** A token at the only moment it is shown. */
export interface NewToken {
  id: string; token: string; expires_at: string;
}

/** An empty object: the request says everything by its address. */
export interface Nothing {

}

/** Nothing to ask, and why. */
export interface NothingLeft {
  assignment: null; reason: string;
}

/** The explanation is wrong: what was explained, and the regions that must not count as evidence. */
export interface ObjectionBody {
  label: number; method: string; regions: (SliceBody | BoxBody)[]; reason?: string;
}

/** One recorded objection; `voxels` 0 takes earlier ones of the same person back. */
export interface Objection {
  seq: number; at: string; case_id: string; annotator_id: string; label: number; method: "grad-cam" | "integrated-gradients" | "occlusion";
  reason: string; voxels: number;
}

/** An open assignment, the active seconds that it took so far, and what whoever works on it should know about its case. */
export interface OpenAssignment {
  id: string; case_id: string; round_id: string | null; revision: number; reason: string; opened_at: string; task_version: number; base: Base;
  standing: Standing | null; evaluation: boolean; withdrawn: Withdrawn | null; progress: CaseReading; returned: Returned | null; kind: "" |
  "whole" | "slices" | "regions" | "verify" | "marks" | "scribbles" | "boxes" | "tags"; minutes: number | null; parts: (SliceBody |
  BoxBody)[]; frames: NamedSlice[]; active_seconds: number; proposal_hidden: boolean; annotated: number[]; queried_label: number | null;
}

/** A case in front of an annotator, with the proposal drawn on it. */
export interface Opened {
  assignment: OpenAssignment; case: Case; prediction: Prediction | null; previous: Previous | null;
}

/** What an annotator would get next: the case's name and why, or "" and why there is none. */
export interface Outlook {
  annotator: string; case: string; reason: string;
}

/** One's own password: the present one and the next. */
export interface PasswordBody {
  old: string; new: string;
}

/** An account. */
export interface Person {
  id: string; name: string; disabled: boolean; invited: boolean; roles: Record<string, "administrator" | "lead" | "reviewer" | "annotator" |
  "viewer">; last_seen: string;
}

/** A name of the template, and the slice along its axis that it is to stand for, from 0. */
export interface PlaceBody {
  name: string; index: number;
}

/** A slice (with its axis) or a region to look at; `gain` is how many wrong voxels a look should find. */
export interface Place {
  number: number; kind: "slice" | "region"; axis: number | null; start: [number, number, number]; stop: [number, number, number]; voxel:
  [number, number, number]; gain: number; seconds: number; reason: string; visited: boolean; changed: boolean;
}

/** Places in the order suggested, the next one to visit, and the visits made. */
export interface Places {
  places: Place[]; next: number | null; visits: Visit[];
}

/** How to draw one slice direction; see `core.geometry.Plane`. */
export interface Plane {
  name: "axial" | "coronal" | "sagittal"; slice_axis: number; x_axis: number; y_axis: number; x_flip: boolean; y_flip: boolean; x_spacing_mm:
  number; y_spacing_mm: number; edges: [string, string, string, string];
}

/** A click: the voxel has the label, or has it not. */
export interface PointBody {
  kind: "point"; voxel: [number, number, number]; label?: number; positive?: boolean;
}

/** The map that was made last. */
export interface PoolMap {
  described: "auto" | "model" | "images"; layout: "pca" | "tsne"; by: string; cases: number; explained: [number, number] | null; made_at:
  string; outdated: string; sampled: string; words: string[]; columns: string[]; ids: string[]; names: string[]; x: number[]; y: number[];
  splits: string[]; states: string[]; uncertainties: (number | null)[]; qualities: (number | null)[]; rounds: (number | null)[]; labels:
  string[]; groups: string[];
}

/** Expected scores of what is unlabelled. */
export interface PoolQuality {
  mean: number | null; low_count: number; histogram: number[];
}

/** A model's answer to a case; its mask and uncertainty have addresses of their own. */
export interface Prediction {
  id: string; case_id: string; model_index: number | null; model_name?: string; probabilities: (number | null)[]; quality: number | null;
  quality_low: number | null; quality_high: number | null; scores: Record<string, number | null>; has_mask: boolean; has_uncertainty: boolean;
}

/** What the page keeps for an account. */
export interface PreferencesBody {
  keys: Record<string, unknown>; introduced: boolean;
}

/** What the page keeps for an account; empty without one. */
export interface Preferences {
  keys: Record<string, string[]>; introduced: boolean;
}

/** An intensity window worth a button. */
export interface Preset {
  name: string; low: number; high: number; curve: "exact" | "linear" | "sigmoid"; explanation: string;
}

/** How long to learn from the pool. */
export interface PretrainBody {
  steps?: number; minutes?: number;
}

/** The setting `pretraining`, the start in use, null where there is none, and why the pool cannot be learned from, or "". */
export interface Pretraining {
  setting: "none" | "pool" | "file"; refusal: string; start: Start | null;
}

/** Prompts to be shown, in the order given, each on what those before it made. */
export interface PreviewBody {
  engine?: "auto" | "classical" | "network" | "any-label" | "nninteractive"; base_revision: number; locked?: number[]; prompts: (PointBody |
  ScribbleBody | BoxPromptBody | LassoBody | ExtremePointsBody)[];
}

/** What prompts would do: `runs` lead from the draft to what `effect` names; nothing is saved. */
export interface Preview {
  runs: [number, number, number][]; effect: string; quality: number | null; engine: string; note: string; seconds: number;
}

/** The annotation of the case in force, whoever gave it. */
export interface Previous {
  id: string; tag: number | null;
}

/** Everything the progress page shows. */
export interface Progress {
  curve: CurvePoint[]; labels_per_hour: number | null; annotated: number; total: number; pool_quality: PoolQuality | null; models:
  ModelLine[]; unpredicted: number | null; pool_note: string; rounds: RoundLine[]; effort: EffortLine[]; queried: ClassCount[]; stopping:
  Advice; selected: SelectedPool | null; quality_note: string; target: Target | null; work: CaseWork | null;
}

/** One project in the list. */
export interface ProjectLine {
  id: string; name: string; kind: "segmentation" | "classification"; labels: Label[]; shared: Shared[]; cases: number; annotated: number;
  model: ModelBrief | null; round: RoundBrief | null;
}

/** An account with a role in a project, and what the project keeps of it; null until it annotates there. */
export interface ProjectPerson {
  id: string; name: string; disabled: boolean; invited: boolean; roles: Record<string, "administrator" | "lead" | "reviewer" | "annotator" |
  "viewer">; last_seen: string; verbs: ("look" | "annotate" | "review" | "sign" | "add" | "decide" | "train" | "export" | "manage" |
  "administer")[]; cost_per_minute: number | null; expertise: "novice" | "expert" | "consultant" | null; hours_per_week: number | null;
  cases_per_week: number | null;
}

/** What one may do to a project, and which roles one may give and take there. */
export interface ProjectRights {
  project_id: string; name: string; verbs: ("look" | "annotate" | "review" | "sign" | "add" | "decide" | "train" | "export" | "manage" |
  "administer")[]; gives: ("administrator" | "lead" | "reviewer" | "annotator" | "viewer")[];
}

/** What a project's loop does by itself; `SETTINGS` tells each one's meaning, range and flag. */
export interface ProjectSettings {
  strategy?: string; first_strategy?: string; batch_size?: number; query_unit?: "case" | "slice" | "region" | "superpixel" | "best";
  query_label?: string; query_parts?: number; template?: string; stream?: "off" | "fixed" | "rate" | "variable" | "learned"; stream_budget?:
  number; stream_risk?: number; stream_sure?: number; stream_good?: number; stream_labels?: "mean" | "each"; stream_hard?: number;
  stream_audit?: number; start_size?: number; train_after?: number; validation_fraction?: number; test_fraction?: number; audit_fraction?:
  number; learner?: "builtin" | "nnunet"; train_minutes?: number; train_steps?: number; warm_start?: "scratch" | "all" | "new" | "replay" |
  "misclassified"; learn_group?: string; replay_cases?: number; replay_choice?: "random" | "reservoir" | "herding"; ewc?: number;
  distillation?: number; cold_start?: "descriptors" | "selfsup"; pretraining?: "none" | "pool" | "file"; members?: number; samples?: number;
  uncertainty_source?: "all" | "softmax" | "dropout" | "flips" | "ensemble"; aggregation?: "mean" | "sum" | "top" | "foreground" | "contour" |
  "classes" | "box"; calibration?: "temperature" | "none"; unlabelled?: "none" | "pseudo-labels" | "mean-teacher" | "copy-paste"; robust?:
  "none" | "robust-loss" | "small-loss"; mark_weights?: string; bias_correction?: boolean; interactive_network?: boolean; prompt_engine?:
  "auto" | "nninteractive"; prompt_encoding?: "euclidean" | "geodesic" | "discs"; adaptation?: "none" | "prompts" | "image"; any_label?:
  boolean; correction_weight?: number; annotator_model?: "none" | "crowd-layer" | "confusion" | "pixel"; explanation_penalty?: number;
  budget_labels?: number; budget_minutes?: number; budget_money?: number; target_score?: number; release?: "unless-worse" | "gate";
  release_margin?: number; release_group_margin?: number; release_slowdown?: number; release_canary?: number; readings?: number; read_twice?:
  number; blind?: boolean; proposals?: "at-once" | "after-first-stroke" | "random"; minimum_agreement?: number; review?: "none" |
  "disagreement" | "all"; consensus?: "latest" | "majority" | "weighted" | "dawid_skene" | "glad" | "staple" | "staple_cases" | "simple" |
  "shape_based" | "locally_weighted"; routing?: "none" | "value"; sure_enough?: number; case_worth?: number; gold_rate?: number; tutorial?:
  number; tutorial_score?: number; targets?: "hard" | "soft"; identifiers?: "removed" | "kept"; case_names?: "source" | "keyed"; objects?:
  "merged" | "apart"; retention_days?: number; retention_by_worker?: boolean; seed?: number;
}

/** One project in full. */
export interface Project {
  id: string; name: string; kind: "segmentation" | "classification"; labels: Label[]; shared: Shared[]; cases: number; annotated: number;
  model: ModelBrief | null; round: RoundBrief | null; instructions: string; task_version: number; label_gaps: string[]; settings:
  ProjectSettings; counts: Counts; strategy: string; workers: Workers; damaged: Damaged[]; oversized: Damaged[]; read_only: string; archives:
  boolean;
}

/** One prompt of an assignment's log. */
export interface Prompt {
  id: string; revision: number; prompt: Record<string, unknown>; engine: string; locked: number[]; quality: number | null; replaces: string |
  null; withdrawn: number | null; created_at: string;
}

/** Every prompt an assignment ever had, and the ids of those in force, in order. */
export interface Prompts {
  prompts: Prompt[]; in_force: string[];
}

/** How far to carry labels from the frames that were drawn on. */
export interface PropagateBody {
  base_revision: number; reach?: number; locked?: number[];
}

/** What carrying labels would do to the draft of `revision`: its runs, the frames drawn on, and those made anew. */
export interface Propagated {
  revision: number; runs: [number, number, number][]; drawn: number[]; reached: number[]; weakest: number | null; agreement: number | null;
}

/** How an answer came about; see `medloop.core.records.Provenance`. */
export interface Provenance {
  annotation_id: string; assignment_id: string; prompt_ids: string[]; withdrawn_prompts: number; parts: Record<string, unknown>;
}

/** What the provider sent a browser back with; without a code it has signed nobody in. */
export interface ProviderReplyBody {
  code?: string; state: string; iss?: string | null;
}

/** Which studies to fetch; of `modality` alone, or all images; with `annotations` SEG and RTSTRUCT, too. */
export interface PullBody {
  server?: string; studies: string[]; modality?: string; annotations?: boolean;
}

/** Which cases to push, as what; none are all that have an annotation or a measurement. */
export interface PushBody {
  server?: string; format?: "dicom-seg" | "dicom-labelmap" | "rtstruct" | "dicom-sr"; case_ids?: string[]; again?: boolean;
}

/** Which cases a person wants annotated next. */
export interface QueryBody {
  case_ids: string[]; count?: number | null;
}

/** Terms of an annotator: cost of a minute from now on (with `past` of earlier ones, too), expertise, limits per week (0: none). */
export interface RateBody {
  annotator: string; cost_per_minute?: number | null; past?: boolean; expertise?: "novice" | "expert" | "consultant" | null; hours_per_week?:
  number | null; cases_per_week?: number | null;
}

/** Something with its 95 % interval; null for an end that the cases left do not reach. */
export interface Reach {
  expected: number | null; low: number | null; high: number | null;
}

/** Which engine to make ready. */
export interface Readiness {
  engine?: "auto" | "classical" | "network" | "any-label" | "nninteractive";
}

/** One annotation of a case in force: a reading, or what was fused or adjudicated. */
export interface Reading {
  annotation_id: string; annotator: string; origin: "human" | "imported" | "simulated" | "consensus" | "adjudicated" | "gold"; at: string;
  tag: number | null; effort_seconds: number | null; blind: boolean; standing: boolean; labels: number[];
}

/** The readings of a case side by side, their consensus and the reviews. */
export interface Readings {
  case_id: string; name: string; progress: CaseReading; readings: Reading[]; consensus: Consensus | null; reviews: Review[];
}

/** Why a case is skipped or flagged, and the work until then. */
export interface Reason {
  reason: string; effort?: EffortBody | null;
}

/** Which accepted cases are to be read after all. */
export interface RecallBody {
  why: string; model?: number | null;
}

/** How many cases people read now that were accepted before. */
export interface Recalled {
  cases: number;
}

/** A reference: its header as that of a case, and how its positions relate to the case's. */
export interface Reference {
  id: string; name: string; frame: "same" | "registered" | "files" | "other" | "none"; placed: boolean; position: string; image: Case;
}

/** What a prompt did; `runs` lead from `base_revision` to `revision`. */
export interface Refined {
  prompt_id: string | null; prompt_ids: string[]; revision: number; runs: [number, number, number][]; quality: number | null; engine: string;
  note?: string; seconds: number;
}

/** A refusal of a candidate. */
export interface RefusalBody {
  why: string;
}

/** The work on a case until its proposal was rejected. */
export interface Rejection {
  effort?: EffortBody | null;
}

/** A release of a candidate. */
export interface ReleaseBody {
  why: string; signed_as?: string; instead_of?: number | null;
}

/** Take a prompt back. */
export interface Removal {
  engine?: "auto" | "classical" | "network" | "any-label" | "nninteractive"; base_revision: number; locked?: number[];
}

/** A case whose image was removed. */
export interface RemovedImage {
  case_id: string; name: string; note: string;
}

/** The name of a reference that was taken away. */
export interface RemovedReference {
  name: string;
}

/** Why an earlier annotation is restored, and what was looked at: what stood, readings, verdicts; 409 where they changed. */
export interface RestoreBody {
  comment?: string; standing_id?: string | null; readings?: string[] | null; reviews?: string[] | null;
}

/** What was removed, how many bytes that freed, what is open still, and cases whose very same image another case needs. */
export interface RetentionReport {
  removed: string[]; freed: number; waiting: DueImage[]; shared: string[]; files: number;
}

/** How the retention rule stands: the setting in days (0 keeps images for ever), what is due, what was removed, and what is due next. */
export interface Retention {
  days: number; by_worker: boolean; due: DueImage[]; removed: RemovedImage[]; next_due: string; files: number;
}

/** A return: what to correct, and by whom; without `to`, by whose annotation it is. */
export interface ReturnBody {
  comment: string; to?: string; annotation_id?: string | null; readings?: string[] | null; reviews?: string[] | null; effort?: EffortBody |
  null;
}

/** The return of a case that still stands. */
export interface Returned {
  review_id: string; by: string; to: string; comment: string; at: string;
}

/** A stored verdict, and how far the case is now. */
export interface ReviewResult {
  review_id: string | null; annotation_id: string; progress: CaseReading;
}

/** A reviewer's verdict. */
export interface Review {
  id: string; annotation_id: string; reviewer: string; verdict: "approve" | "return"; comment: string; returned_to: string | null; signature:
  Signature | null; at: string;
}

/** The draft's newest revision. */
export interface Revision {
  revision: number;
}

/** What accepting everything from a score on would have meant on the evaluated cases. */
export interface RiskPoint {
  score: number | null; coverage: number; share_bad: number; share_of_all: number;
}

/** A role to give, or null to take it away; `project_id` is null for all projects. */
export interface RoleBody {
  role: "administrator" | "lead" | "reviewer" | "annotator" | "viewer" | null; project_id?: string | null;
}

/** The newest round. */
export interface RoundBrief {
  index: number; state: string;
}

/** How many of the listed cases a round queried; null for none. */
export interface RoundCases {
  round: number | null; cases: number;
}

/** One round. */
export interface RoundLine {
  index: number; state: string; strategy: string; cases: number; annotated: number; message: string; work: CaseWork | null;
}

/** Which annotation counts: for one label only, within one box only, or in all. */
export interface RulingBody {
  annotation_id: string; label?: number | null; box?: BoxBody | null;
}

/** A stroke: its voxels in the order drawn. */
export interface ScribbleBody {
  kind: "scribble"; voxels: [number, number, number][]; label?: number; positive?: boolean;
}

/** A case to look at: what `OpenedView` holds, without an assignment. */
export interface Seen {
  situation: Situation; case: Case; prediction: Prediction | null; previous: Previous | null;
}

/** What the queried cases say of the pool, beside the evaluation cases of `split`; `warning` says that both contradict each other. */
export interface SelectedPool {
  estimate: DrawnEstimate; split: string; audit: number | null; audit_low: number | null; audit_high: number | null; basis: string; warning:
  string;
}

/** One setting: its group's title, its value, what it may be, and from when on a change counts. */
export interface Setting {
  name: string; group: string; value: string | number | boolean; default: string | number | boolean; help: string; applies: string; choices:
  string[]; low: number | null; high: number | null;
}

/** New values by the settings' names. */
export interface SettingsBody {
  changes: Record<string, unknown>;
}

/** A value of a mask that stands for voxels of several labels, which overlap. */
export interface Shared {
  value: number; name: string; colour: string;
}

/** Who signs in. */
export interface SignInBody {
  name: string; password: string;
}

/** A signature: printed name, time, what it means. */
export interface Signature {
  name: string; time: string; meaning: string;
}

/** Nobody is signed in any more. */
export interface SignedOut {
  signed_in?: false; address?: string | null;
}

/** An annotated case that looks alike. */
export interface SimilarCase {
  case_id: string; name: string; distance: number; labels: string[]; quality: number | null;
}

/** The nearest annotated cases; `by` is model or descriptors. */
export interface Similar {
  by: string; cases: SimilarCase[];
}

/** A site's update in a round; `loss` is null of a private site, `epsilon` of any other. */
export interface SiteUpdate {
  site: string; cases: number; norm: number; loss: number | null; epsilon: number | null;
}

/** What whoever looks at a case should know about it; `returned` only where it is for them, or they may see others' readings. */
export interface Situation {
  task_version: number; base: Base; standing: Standing | null; evaluation: boolean; withdrawn: Withdrawn | null; progress: CaseReading;
  returned: Returned | null;
}

/** How right a reader is in this case or over all, 0..1, with a 90 % interval. */
export interface Skill {
  value: number | null; low: number | null; high: number | null;
}

/** One whole slice: the voxel axis it is perpendicular to, and which one. */
export interface SliceBody {
  axis: number; index: number;
}

/** An annotation: whose, of which kind of origin, when, and the names of the labels that it does not annotate. */
export interface Standing {
  annotation_id: string; annotator: string; origin: "human" | "imported" | "simulated" | "consensus" | "adjudicated" | "gold"; at: string;
  lacking?: string[];
}

/** Weights that trainings begin with; `layers` and `unused` report what became of weights from elsewhere, else they are empty. */
export interface Start {
  id: string; at: string; origin: "pool" | "file"; source: string; words: string; note: string; layers: Layer[]; unused: string[];
}

/** What people found in the accepted cases of the audit sample; the alarm comes when the stake reaches 20. */
export interface StreamAudit {
  drawn: number; read: number; bad: number; low: number; high: number; stake: number; broken: boolean; words: string;
}

/** What accepting every score from here on would have meant on the evaluated cases. */
export interface StreamPoint {
  score: number; coverage: number; share_bad: number;
}

/** The rule: scores above `above` are accepted (null: none are), those not above `second_above` go to two readers. */
export interface StreamRule {
  model_index: number; risk: number; sure: number; good: number; hard: number; labels: "mean" | "each"; attempt: number; above: number | null;
  second_above: number | null; patients: number; accepted: number; coverage: number; share_bad: number; curve: StreamPoint[]; at: string;
  words: string;
}

/** The stream now; `words` say the same in lines, `earlier` what stands unread of earlier rules. */
export interface StreamStanding {
  on: boolean; counts: Record<string, number>; lapsed: number; waiting: number; unread: number; rule: StreamRule | null; lacking: string;
  audit: StreamAudit | null; earlier: string[]; alarm: string; alarm_at: string; cases: DisposedCase[]; words: string[];
}

/** An answer: a draft's revision, or a tag. */
export interface Submission {
  revision?: number | null; parts?: (SliceBody | BoxBody)[] | null; tag?: number | null; effort_seconds?: number | null; effort?: EffortBody |
  null; replace?: boolean; task_version?: number | null; whole?: boolean; returned?: string | null; annotated?: number[] | null;
}

/** A stored annotation; one of a gold case has feedback. */
export interface Submitted {
  annotation_id: string; next: boolean; gold: boolean;
}

/** A voxel worth a prompt: what its label would settle (nats), how much of the mask would change, and what the samples say. */
export interface SuggestedPrompt {
  voxel: [number, number, number]; information: number; change: number; shares: Record<string, number>;
}

/** Superpixels of a slice: runs (number, voxels) over its voxels, the earlier of its two axes fastest; numbers begin at 1. */
export interface Superpixels {
  axis: number; index: number; runs: [number, number][];
}

/** An annotation that is probably wrong: against the other readers, or a model that never saw it. */
export interface Suspect {
  case_id: string; case: string; annotation_id: string; annotator: string; score: number; against: "readers" | "model"; reason: string;
}

/** How far the target score is: further cases, hours of work; `note` says what a forecast lacks. */
export interface Target {
  target: number; cases: Reach | null; hours: Reach | null; left: number; note: string;
}

/** What to change of a project's name and task; what is left out stays. */
export interface TaskBody {
  version: number; name?: string | null; instructions?: string | null; pictures?: string[]; labels?: LabelBody[] | null; inside?:
  Record<string, string> | null; overlaps?: Record<string, string[]> | null;
}

/** The question put to every case, in its newest version; `pictures` says how many its instructions have. */
export interface Task {
  version: number; kind: "segmentation" | "classification"; labels: Label[]; instructions: string; pictures: number;
}

/** Scores above `above` are accepted (null: all may be), and what that measured on the evaluated patients. */
export interface Threshold {
  above: number | null; risk: number; bound: number; patients: number; coverage: number; accepted_loss: number;
}

/** Active seconds of every session on an assignment, as far as they count. */
export interface Time {
  active_seconds: number;
}

/** A token to make. */
export interface TokenBody {
  name: string; scope?: "read" | "annotate" | "all"; days?: number;
}

/** A token in use, without its secret. */
export interface Token {
  id: string; name: string; scope: "read" | "annotate" | "all"; created_at: string; expires_at: string;
}

/** A trace of a pointer or of gaze on the case. */
export interface TraceBody {
  base_revision: number; text: string; label: number; spread_share?: number; locked?: number[];
}

/** What a trace would add to the draft of `revision`: its runs, and how sure they are (`expected_dice`, 0..1, of a heuristic). */
export interface Traced {
  revision: number; runs: [number, number, number][]; samples: number; seconds: number; slices: number[]; expected_dice: number;
}

/** What to train. */
export interface TrainBody {
  again?: boolean;
}

/** Whose weights to begin with. */
export interface TransferBody {
  from_project: string; layers?: "all" | "encoder"; inflate?: boolean;
}

/** What became of one group: since it was learned, against the best model, and before it was learned; or why that is not known. */
export interface Transfers {
  backward: Figure | null; forgetting: Figure | null; forward: Figure | null; note: string;
}

/** The sorted pool, or why it cannot be sorted yet and what to do about it. */
export interface TriageResult {
  found: Triage | null; reason: string; remedy: string;
}

/** The pool, sorted, those that need most help first. */
export interface Triage {
  model_index: number; risk: number; good: number; hard: number; accept: Threshold; second: Threshold; splits: ("train" | "validation" |
  "test" | "audit")[]; optimistic: boolean; evaluated: Record<string, number>; curve: RiskPoint[]; cases: TriagedCase[]; unpredicted: number;
  in_part: number; promise: string; checked: boolean; drifted: string[];
}

/** One unanswered case: its decision, and why. */
export interface TriagedCase {
  case_id: string; name: string; decision: "accept" | "review" | "second expert"; score: number; expected: number | null; low: number | null;
  high: number | null; reason: string; domain_p: number | null; outside: boolean;
}

/** How far somebody's tutorial is; the mean of the last `length` cases ends it at `needed`. */
export interface Tutorial {
  done: number; length: number; score: number | null; needed: number; left: number; passed: boolean; words: string;
}

/** A case that was not given, and why. */
export interface UnassignedCase {
  case: string; why: string;
}

/** What will probably be asked next; null when unknown. */
export interface Upcoming {
  case_id: string | null; prediction_id: string | null;
}

/** What the stream decided about a case: annotate it now or keep it unlabelled, and the share of earlier cases that were surer. */
export interface Verdict {
  annotate: boolean; score: number; reason: string;
}

/** One look at a place; `suggested` is the place that should have been next then. */
export interface Visit {
  number: number; suggested: number | null; changed: boolean; revision: number; at: string;
}

/** A case that waits for a reviewer, or for whom it was returned to. */
export interface Waiting {
  case_id: string; name: string; progress: CaseReading; readers: string[]; annotation_id: string | null; returned_to: string | null; comment:
  string;
}

/** How one signs in here. */
export interface Ways {
  accounts: boolean; passwords: boolean; provider: string | null;
}

/** Why a lead does it. */
export interface WhyBody {
  why: string;
}

/** The latest skip or flag of a case that still stands. */
export interface Withdrawn {
  verb: "skipped" | "flagged"; reason: string; by: string; at: string;
}

/** What some work took; null is unknown, "" all rounds, people or cases. */
export interface WorkLine {
  round: string; annotator: string; case: string; proposal: string; annotations: number; cases: number; timed: number; minutes: number | null;
  idle_minutes: number | null; strokes: number | null; prompts: number | null; slices_viewed: number | null; undos: number | null; cost:
  number; agreement: number | null; skill: number | null; skill_low: number | null; skill_high: number | null; shared: number; opened_at:
  string | null; first_stroke_at: string | null; submitted_at: string | null; note: string;
}

/** Whether anything does background work for the project. */
export interface Workers {
  alive: boolean;
}
