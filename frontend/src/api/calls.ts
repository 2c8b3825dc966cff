/** Every request the page makes, by name. */
import { getBytes, getJson, PREFIX, sendFile, sendJson, sendOpen } from "./client";
import type * as T from "./types";

const at = (project: string, rest = ""): string => `/projects/${encodeURIComponent(project)}${rest}`;

export const savePreferences = (preferences: T.PreferencesBody): Promise<T.Preferences> => sendJson("PUT", "/me/preferences", preferences);
export const listProjects = (): Promise<T.ProjectLine[]> => getJson("/projects");
export const readProject = (p: string): Promise<T.Project> => getJson(at(p));
export const readProgress = (p: string): Promise<T.Progress> => getJson(at(p, "/progress"));
export const readTriage = (p: string, risk: number, signal?: AbortSignal): Promise<T.TriageResult> => getJson(at(p, `/triage?risk=${risk}`), signal);
/** Judge an image that is not kept. */
export const judgeFile = (p: string, file: File, asked: object, signal: AbortSignal): Promise<T.Acquisition> =>
  sendFile(at(p, `/acquisition?${asText(asked)}`), file, signal);
export const readAcquisition = (p: string, c: string): Promise<T.Acquisition> => getJson(at(p, `/cases/${c}/acquisition`));
export const readDrift = (p: string, by: string, since: string): Promise<T.DriftResult> => getJson(at(p, `/drift?by=${encodeURIComponent(by)}&since=${since}`));
export const readFederations = (p: string): Promise<T.Federations> => getJson(at(p, "/federations"));
export const readDispositions = (p: string): Promise<T.StreamStanding> => getJson(at(p, "/dispositions"));
export const renewRule = (p: string, why: string): Promise<T.StreamStanding> => sendJson("POST", at(p, "/dispositions/renew"), { why });
export const recallAccepted = (p: string, why: string): Promise<T.Recalled> => sendJson("POST", at(p, "/dispositions/recall"), { why });
/** The map of the pool that was made last; null before there is one. */
export const readMap = (p: string, by: string): Promise<T.PoolMap | null> => getJson(at(p, `/map?by=${encodeURIComponent(by)}`));
export const adaptTo = (p: string, how: T.AdaptBody): Promise<T.JobRef> => sendJson("POST", at(p, "/adapt"), how);
export const makeMap = (p: string, how: T.MapBody): Promise<T.JobRef> => sendJson("POST", at(p, "/map"), how);
/** Begin a round of cases that somebody chose; `count` of them by the strategy, or all. */
export const queryThese = (p: string, case_ids: string[], count: number | null): Promise<T.Chosen> => sendJson("POST", at(p, "/query"), { case_ids, count });
export const readArchives = (p: string): Promise<T.Archives> => getJson(at(p, "/archives"));
export const findStudies = (p: string, wanted: T.FindBody): Promise<T.Found> => sendJson("POST", at(p, "/archives/find"), wanted);
export const pullStudies = (p: string, wanted: T.PullBody): Promise<T.JobRef> => sendJson("POST", at(p, "/archives/pull"), wanted);
export const pushCases = (p: string, wanted: T.PushBody): Promise<T.JobRef> => sendJson("POST", at(p, "/archives/push"), wanted);
export const listJobs = (p: string): Promise<T.Job[]> => getJson(at(p, "/jobs"));

/** Which part of a list: so many lines, after so many behind a cursor. */
export interface Part {
  limit: number;
  offset?: number;
  after?: string;
}

/** Filters that name something; without a value they are left out. */
const NAMES_ONE = new Set(["lacks", "given", "pixel_mm"]);
const asText = (values: object): URLSearchParams =>
  new URLSearchParams(
    Object.entries(values)
      .filter(([name, value]) => value !== "" || !NAMES_ONE.has(name))
      .map(([name, value]) => [name, String(value)]),
  );

export const listCases = (p: string, filters: object, part: Part, signal?: AbortSignal): Promise<T.CasePage> =>
  getJson(at(p, `/cases?${asText({ ...filters, ...part })}`), signal);
/** Address of the same list as a file. */
export const casesFile = (p: string, filters: object): string => `${PREFIX}${at(p, `/cases/csv?${asText(filters)}`)}`;
/** Where small pictures of a case are. */
export const thumbnailPath = (p: string, c: string, size: 96 | 288): string => at(p, `/cases/${c}/thumbnail?size=${size}`);
/** Give cases to somebody, or with null take them back. */
export const assignCases = (p: string, case_ids: string[], annotator: string | null): Promise<T.Assigned> =>
  sendJson("POST", at(p, "/assign"), { case_ids, annotator });
export const readChange = (p: string): Promise<T.ModelChange | null> => getJson(at(p, "/change"));
export const changePath = (p: string, c: string, index: number): string => at(p, `/cases/${c}/change/${index}`);

export const fillBetween = (p: string, a: string, revision: number, axis: number, locked: number[]): Promise<T.Filled> =>
  sendJson("POST", at(p, `/assignments/${a}/fill`), { base_revision: revision, axis, locked });
/** What a trace would add of a label; nothing is saved. */
export const trace = (p: string, a: string, revision: number, text: string, label: number, locked: number[]): Promise<T.Traced> =>
  sendJson("POST", at(p, `/assignments/${a}/trace`), { base_revision: revision, text, label, locked });
/** Let a name of the template stand for another slice. */
export const placeFrame = (p: string, a: string, name: string, index: number): Promise<T.NamedFrames> =>
  sendJson("PUT", at(p, `/assignments/${a}/frames`), { name, index });
/** Which labels a draft is going to annotate. */
export const declareDraft = (p: string, a: string, annotated: number[]): Promise<unknown> =>
  sendJson("PUT", at(p, `/assignments/${a}/annotated`), { annotated });
/** What carrying the labels of a film to other frames would do; nothing is saved. */
export const propagate = (p: string, a: string, revision: number, reach: number, locked: number[]): Promise<T.Propagated> =>
  sendJson("POST", at(p, `/assignments/${a}/propagate`), { base_revision: revision, reach, locked });
export const readCase = (p: string, c: string): Promise<T.CaseHeader> => getJson(at(p, `/cases/${c}`));
export const readPrediction = (p: string, id: string): Promise<T.Prediction> => getJson(at(p, `/predictions/${id}`));
export const readVoxels = (p: string, c: string): Promise<Response> => getBytes(at(p, `/cases/${c}/voxels`));
/** Other series of the patient that stand beside a case. */
export const readReferences = (p: string, c: string): Promise<T.Reference[]> => getJson(at(p, `/cases/${c}/references`));
export const addReference = (p: string, c: string, file: File, how: { name: string; registered: boolean }): Promise<T.Reference> =>
  sendFile(at(p, `/cases/${c}/references?${asText(how)}`), file);
export const removeReference = (p: string, c: string, r: string): Promise<T.RemovedReference> => sendJson("DELETE", at(p, `/cases/${c}/references/${r}`), {});
export const readReferenceVoxels = (p: string, c: string, r: string, signal: AbortSignal): Promise<Response> =>
  getBytes(at(p, `/cases/${c}/references/${r}/voxels`), signal);
export const readPredictionMask = (p: string, id: string): Promise<Response> => getBytes(at(p, `/predictions/${id}/mask`));
export const readUncertainty = (p: string, id: string): Promise<Response> => getBytes(at(p, `/predictions/${id}/uncertainty`));

export const nextCase = (p: string): Promise<T.Opened | T.NothingLeft> => sendJson("POST", at(p, "/next"), {});
export const openCase = (p: string, c: string): Promise<T.Opened> => sendJson("POST", at(p, `/cases/${c}/open`), {});
/** For looking: nothing is opened. */
export const lookAtCase = (p: string, c: string): Promise<T.Seen> => getJson(at(p, `/cases/${c}/look`));
export const readAnnotationMask = (p: string, id: string): Promise<Response> => getBytes(at(p, `/annotations/${id}/mask`));
export const readUpcoming = (p: string): Promise<T.Upcoming> => getJson(at(p, "/upcoming"));

export const readDraft = (p: string, a: string): Promise<Response> => getBytes(at(p, `/assignments/${a}/draft`));

export function patchDraft(p: string, a: string, base: number, runs: T.Run[], link?: T.Link): Promise<{ revision: number }> {
  return sendJson("PATCH", at(p, `/assignments/${a}/draft`), { base_revision: base, runs, ...link });
}

/** What led to a draft, or to a submitted annotation. */
export const readSteps = (p: string, of: { assignment: string } | { annotation: string }): Promise<T.DraftSteps> =>
  getJson(at(p, "assignment" in of ? `/assignments/${of.assignment}/steps` : `/annotations/${of.annotation}/steps`));
export const readPrompts = (p: string, a: string): Promise<T.PromptLog> => getJson(at(p, `/assignments/${a}/prompts`));
export const readyPrompts = (p: string, a: string): Promise<{ engine: string }> => sendJson("POST", at(p, `/assignments/${a}/prompts/ready`), {});

/** Prompts made one after the other; the last one is the newest, the others were not answered yet. */
export function addPrompts(p: string, a: string, base: number, prompts: readonly T.Prompt[], locked: readonly number[]): Promise<T.Refined> {
  const body = { base_revision: base, prompt: prompts.at(-1), earlier: prompts.slice(0, -1), locked };
  return sendJson("POST", at(p, `/assignments/${a}/prompts`), body);
}

/** What prompts, all of a preview again, would do; nothing is saved. */
export const previewPrompts = (p: string, a: string, base: number, prompts: readonly T.Prompt[], locked: readonly number[]): Promise<T.Preview> =>
  sendJson("POST", at(p, `/assignments/${a}/prompts/preview`), { base_revision: base, prompts, locked });
export const acceptPrompts = (
  p: string,
  a: string,
  base: number,
  prompts: readonly T.Prompt[],
  locked: readonly number[],
  effect: string,
): Promise<T.Refined> => sendJson("POST", at(p, `/assignments/${a}/prompts/accept`), { base_revision: base, prompts, locked, effect });

export const removePrompt = (p: string, a: string, id: string, base: number, locked: readonly number[]): Promise<T.Refined> =>
  sendJson("DELETE", at(p, `/assignments/${a}/prompts/${id}`), { base_revision: base, locked });

/** Where an open case stands in its round, and how its proposal is judged. */
export const readCaseOutlook = (p: string, a: string): Promise<T.CaseOutlook> => getJson(at(p, `/assignments/${a}/outlook`));
/** The proposal that was hidden until the first edit. */
export const readHiddenProposal = (p: string, a: string): Promise<T.Prediction | null> => getJson(at(p, `/assignments/${a}/proposal`));

export const readPlaces = (p: string, a: string, signal: AbortSignal): Promise<T.Places> => getJson(at(p, `/assignments/${a}/places`), signal);
export const visitPlace = (p: string, a: string, number: number): Promise<{ changed: boolean }> =>
  sendJson("POST", at(p, `/assignments/${a}/places/${number}/visited`), {});

export const listMeasurements = (p: string, c: string): Promise<T.Measurement[]> => getJson(at(p, `/cases/${c}/measurements`));
export const addMeasurement = (p: string, c: string, body: T.MeasurementBody): Promise<T.Measurement> =>
  sendJson("POST", at(p, `/cases/${c}/measurements`), body);
export const changeMeasurement = (p: string, id: string, body: T.MeasurementChange): Promise<T.Measurement> =>
  sendJson("PATCH", at(p, `/measurements/${id}`), body);

export const readHypotheses = (p: string, c: string, signal: AbortSignal): Promise<T.Hypotheses> => getJson(at(p, `/cases/${c}/hypotheses`), signal);
export const readSimilar = (p: string, c: string, signal: AbortSignal): Promise<T.Similar> => getJson(at(p, `/cases/${c}/similar`), signal);

export function readExplanation(p: string, c: string, label: number, method: T.Method, signal: AbortSignal): Promise<T.Explanation> {
  return getJson(at(p, `/cases/${c}/explanation?label=${label}&method=${method}`), signal);
}

export const sendObjection = (p: string, c: string, body: T.ObjectionBody): Promise<T.Objection> => sendJson("POST", at(p, `/cases/${c}/objections`), body);

export interface Submission {
  revision?: number;
  /** The only slices and boxes that count; those that were queried need no word. */
  parts?: readonly T.QueriedPart[];
  tag?: number;
  effort: T.EffortBody;
  /** The version of the task whose labels were on the screen: labels added since are not spoken of. */
  task_version?: number | undefined;
  /** The return of the case that was on the screen. */
  returned?: string | undefined;
  /** Values of the labels that the mask annotates. */
  annotated?: number[];
  /** The reader said twice that an annotation may be replaced that models are evaluated on. */
  replace?: boolean;
}

export const submit = (p: string, a: string, body: Submission): Promise<T.Submitted> => sendJson("POST", at(p, `/assignments/${a}/submit`), body);
/** What came of a gold case, once it is submitted. */
export const readFeedback = (p: string, a: string): Promise<T.Feedback> => getJson(at(p, `/assignments/${a}/feedback`));
export const picturePath = (p: string, number: number): string => `${PREFIX}${at(p, `/pictures/${number}`)}`;
export const feedbackPicture = (p: string, a: string): string => `${PREFIX}${at(p, `/assignments/${a}/feedback/picture`)}`;
export const readGold = (p: string): Promise<T.GoldStanding> => getJson(at(p, "/gold"));
export const withdrawGold = (p: string, c: string): Promise<T.GoldStanding> => sendJson("POST", at(p, `/cases/${c}/gold/withdraw`), {});
/** Let somebody begin real work without the tutorial, or after one that they did not pass. */
export const admit = (p: string, annotator: string): Promise<T.GoldStanding> => sendJson("POST", at(p, "/gold/admit"), { annotator });
export const makeGold = (p: string, c: string): Promise<T.GoldStanding> => sendJson("POST", at(p, `/cases/${c}/gold`), {});
/** Take a submission back: what stood before stands again, and the submitted draft is open once more. */
export const undoSubmit = (p: string, a: string): Promise<T.OpenAssignment> => sendJson("POST", at(p, `/assignments/${a}/undo`), {});
export const reject = (p: string, a: string, effort: T.EffortBody): Promise<T.Submitted> => sendJson("POST", at(p, `/assignments/${a}/reject`), { effort });
export const skip = (p: string, a: string, reason: string, effort: T.EffortBody): Promise<unknown> =>
  sendJson("POST", at(p, `/assignments/${a}/skip`), { reason, effort });
export const flag = (p: string, a: string, reason: string, effort: T.EffortBody): Promise<unknown> =>
  sendJson("POST", at(p, `/assignments/${a}/flag`), { reason, effort });
/** Give back what was passed over; goes out also while the page is going away. */
export const release = (p: string, a: string): Promise<unknown> => sendJson("POST", at(p, `/assignments/${a}/release`), {}, true);
/** Goes out also while the page is going away. */
export const sendEffort = (p: string, a: string, report: T.EffortBody): Promise<unknown> => sendJson("PUT", at(p, `/assignments/${a}/effort`), report, true);

export const readJobLog = (p: string, job: string, after: number): Promise<{ lines: T.LogLine[] }> => getJson(at(p, `/jobs/${job}/log?after=${after}`));
export const cancelJob = (p: string, job: string): Promise<unknown> => sendJson("POST", at(p, `/jobs/${job}/cancel`), {});
export const readSettings = (p: string): Promise<T.Configuration> => getJson(at(p, "/settings"));
export const changeSettings = (p: string, changes: Record<string, T.SettingValue>): Promise<T.Changes> => sendJson("PATCH", at(p, "/settings"), { changes });
export const changeTask = (p: string, change: T.TaskBody): Promise<T.Changes> => sendJson("PATCH", at(p, "/task"), change);
export const readEffort = (p: string, by: T.Grouping): Promise<T.WorkLine[]> => getJson(at(p, `/effort?by=${by}`));
/** Address of the same as a file. */
export const effortFile = (p: string, by: T.Grouping): string => PREFIX + at(p, `/effort/csv?by=${by}`);
export const readAnnotators = (p: string): Promise<T.AnnotatorLine[]> => getJson(at(p, "/annotators"));
/** What a project keeps of somebody; what was typed and is no number goes as it is, so that the server can say what is wrong. */
export interface Terms {
  cost_per_minute?: number | string;
  expertise?: T.Expertise;
  /** The most that routing gives them within seven days; 0 for no limit. */
  hours_per_week?: number | string;
  cases_per_week?: number | string;
}
export const setTerms = (p: string, annotator: string, terms: Terms): Promise<T.AnnotatorLine[]> =>
  sendJson("PATCH", at(p, "/annotators"), { annotator, ...terms });
/** Let an older model propose again (or a newer one after all). */
export const useModel = (p: string, index: number): Promise<unknown> => sendJson("POST", at(p, `/models/${index}/use`), {});
/** Let the better model propose again, whichever that is. */
export const useAutomatic = (p: string): Promise<unknown> => sendJson("POST", at(p, "/models/auto"), {});
/** Put a candidate to use against the gate, with a reason and a signature. */
export const releaseModel = (p: string, index: number, body: T.ReleaseBody): Promise<unknown> => sendJson("POST", at(p, `/models/${index}/release`), body);
export const readMatrix = (p: string, by: string): Promise<T.ModelMatrix> => getJson(at(p, `/matrix?by=${encodeURIComponent(by)}`));
export const fillMatrix = (p: string): Promise<T.JobRef> => sendJson("POST", at(p, "/matrix/fill"), {});
export const readRetention = (p: string): Promise<T.Retention> => getJson(at(p, "/retention"));
export const removeDueImages = (p: string): Promise<T.RetentionReport> => sendJson("POST", at(p, "/retention/remove"), {});
/** Say that a candidate stays out of use. */
export const refuseModel = (p: string, index: number, why: string): Promise<unknown> => sendJson("POST", at(p, `/models/${index}/refuse`), { why });
/** Put the model that was in use before that one to use again. */
export const rollBack = (p: string, index: number): Promise<unknown> => sendJson("POST", at(p, "/models/back"), { index });
export const readPretraining = (p: string): Promise<T.Pretraining> => getJson(at(p, "/pretraining"));
export const pretrainNow = (p: string): Promise<unknown> => sendJson("POST", at(p, "/pretraining"), {});
export const transferFrom = (p: string, body: T.TransferBody): Promise<unknown> => sendJson("POST", at(p, "/pretraining/transfer"), body);
export const trainNow = (p: string): Promise<unknown> => sendJson("POST", at(p, "/train"), {});

/** What a reviewer has looked at: a verdict on anything else is refused. */
export interface LookedAt {
  annotation_id: string | null;
  readings: string[];
  reviews: string[];
}

export const listReview = (p: string): Promise<T.Waiting[]> => getJson(at(p, "/review"));
/** Whom a case may be returned to. */
export const listAnnotatorsHere = (p: string): Promise<string[]> => getJson(at(p, "/review/people"));
export const readReadings = (p: string, c: string): Promise<T.Readings> => getJson(at(p, `/cases/${c}/readings`));
export const readHistory = (p: string, c: string): Promise<T.HistoryLine[]> => getJson(at(p, `/cases/${c}/history`));
export const readConsensusMap = (p: string, id: string): Promise<Response> => getBytes(at(p, `/consensuses/${id}/uncertainty`));
/** For drawing the decision: the draft begins with what stands. */
export const editCase = (p: string, c: string): Promise<T.Opened> => sendJson("POST", at(p, `/cases/${c}/edit`), {});
export const approve = (p: string, c: string, body: T.ApproveBody): Promise<T.ReviewResult> => sendJson("POST", at(p, `/cases/${c}/approve`), body);
export const returnCase = (p: string, c: string, body: T.ReturnBody): Promise<T.ReviewResult> => sendJson("POST", at(p, `/cases/${c}/return`), body);
export const adjudicate = (p: string, c: string, body: T.AdjudicateBody): Promise<T.ReviewResult> => sendJson("POST", at(p, `/cases/${c}/adjudicate`), body);
export const restore = (p: string, a: string, body: T.RestoreBody): Promise<T.ReviewResult> => sendJson("POST", at(p, `/annotations/${a}/restore`), body);
export const listSuspects = (p: string): Promise<T.Suspect[]> => getJson(at(p, "/suspects"));
export const readAgreement = (p: string): Promise<T.AgreementWindow[]> => getJson(at(p, "/agreement"));
/** The annotations, or the model in use, as a zip. */
export const exportProject = (p: string, format: string): Promise<Response> => getBytes(at(p, `/export?format=${format}`));

export const readMe = (): Promise<T.Me> => getJson("/me");
export const signIn = (name: string, password: string): Promise<T.Me> => sendOpen("/sign-in", { name, password });
export const readWays = (): Promise<T.Ways> => getJson("/sign-in");
/** An address at the provider, to go to; whoever comes back takes up the link. */
export const leaveToProvider = (link?: T.LinkSecret): Promise<T.Leave> => sendOpen("/oidc/leave", link ? { link } : {});
export const returnFromProvider = (body: T.ProviderReplyBody): Promise<T.Me> => sendOpen("/oidc/return", body);
export const signOut = (): Promise<T.SignedOut> => sendJson("POST", "/sign-out", {});
export const changePassword = (old: string, next: string): Promise<T.Me> => sendJson("POST", "/me/password", { old, new: next });
export const listTokens = (): Promise<T.Token[]> => getJson("/me/tokens");
export const makeToken = (body: T.TokenBody): Promise<T.NewToken> => sendJson("POST", "/me/tokens", body);
export const revokeToken = (id: string): Promise<T.Token[]> => sendJson("POST", `/me/tokens/${id}/revoke`, {});
export const readLink = (use: string, secret: string): Promise<T.OneTimeLink> => sendOpen(`/links/${use}`, { secret });
export const followLink = (use: string, secret: string, password: string): Promise<T.Me> => sendOpen(`/links/${use}`, { secret, password });
export const listPeople = (): Promise<T.Person[]> => getJson("/people");
export const listProjectPeople = (p: string): Promise<T.ProjectPerson[]> => getJson(at(p, "/people"));
/** `p` null: for all projects. */
export const invite = (name: string, role: T.Role, p: string | null): Promise<T.HandedLink> => sendJson("POST", "/people", { name, role, project_id: p });
export const giveRole = (id: string, role: T.Role | null, p: string | null): Promise<T.Person> =>
  sendJson("POST", `/people/${id}/role`, { role, project_id: p });
export const setDisabled = (id: string, disabled: boolean): Promise<T.Person> => sendJson("POST", `/people/${id}/${disabled ? "disable" : "enable"}`, {});
export const renewLink = (id: string): Promise<T.HandedLink> => sendJson("POST", `/people/${id}/link`, {});
export const describePerson = (p: string, id: string, change: Terms): Promise<T.ProjectPerson> => sendJson("PATCH", at(p, `/people/${id}`), change);
