/** The three questions that a project is looked at for, answered in words: how good, how long, go on or stop. */
import type { ModelChange, Progress, Reach, Target } from "../api/types";

const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;

export interface Score {
  /** "Dice 0.842 (0.801–0.877)", or why there is none. */
  value: string;
  /** On what, and of which model. */
  basis: string;
}

/** The score of the newest model that has one, on the split that speaks for it. */
export function scoreOf({ models, curve }: Pick<Progress, "models" | "curve">): Score {
  const model = models.filter(({ score }) => score !== null).at(-1);
  if (!model)
    return {
      value: "not known yet",
      basis: models.length === 0 ? "No model yet: annotate some cases" : "No model is evaluated yet: that takes annotated evaluation cases",
    };
  const metric = curve.find(({ model_index: index }) => index === model.index)?.metric ?? curve[0]?.metric ?? "score";
  const bounds = model.low !== null && model.high !== null ? ` (${model.low.toFixed(3)}–${model.high.toFixed(3)})` : "";
  const why = bounds ? "95 % interval" : model.score_note || "no interval";
  const name = metric === "dice" ? "Dice" : metric;
  return { value: `${name} ${model.score!.toFixed(3)}${bounds}`, basis: `Model ${model.index} on ${model.score_split} cases; ${why}` };
}

export type Direction = "better" | "worse" | "unclear";

/** Whether a model is better than the one before: only where all of the interval says so. */
export function directionOf({ low, high }: Pick<ModelChange, "low" | "high">): Direction {
  if (low !== null && low > 0) return "better";
  return high !== null && high < 0 ? "worse" : "unclear";
}

/** "Better than model 3: +0.012 (+0.004 to +0.021), paired over 12 patients". */
export function changeWords(change: ModelChange): string {
  const { older, mean, low, high, note, patients } = change;
  const words = { better: "Better than", worse: "Worse than", unclear: "No clear difference to" }[directionOf(change)];
  const range = low !== null && high !== null ? `${signed(low)} to ${signed(high)}` : note || "no interval";
  return `${words} model ${older}: ${signed(mean)} (${range}), paired over ${patients} patient${patients === 1 ? "" : "s"}`;
}

const hours = (value: number): string => (value < 1 ? `${Math.round(value * 60)} min` : `${value < 10 ? value.toFixed(1) : Math.round(value)} h`);
const cases = (value: number): string => `${Math.round(value)} case${Math.round(value) === 1 ? "" : "s"}`;

/** "3.2 h (1.1 h to 9.0 h)"; an end that the cases left do not reach is open. */
function reachWords({ expected, low, high }: Reach, word: (value: number) => string): string {
  if (expected === null) return low === null ? "out of reach" : `${word(low)} at best`;
  return `${word(expected)} (${low === null ? "?" : word(low)} to ${high === null ? "never, perhaps" : word(high)})`;
}

/** How long the target takes, and what that rests on. */
export function targetWords(target: Target | null): Score {
  if (target === null) return { value: "no target set", basis: "Set “target score” in the settings to get a forecast" };
  const { hours: time, cases: count, note, left } = target;
  if (count === null) return { value: "cannot be judged yet", basis: `To reach ${target.target}: ${note}` };
  if (count.expected === 0) return { value: "reached", basis: `The score is ${target.target} or more; whether it surely is, says the advice` };
  const more = `To reach ${target.target}: ${reachWords(count, cases)} of the ${left} left; 95 % intervals`;
  return time ? { value: reachWords(time, hours), basis: more } : { value: reachWords(count, cases), basis: `${more}. ${note}` };
}

/** "2.1 min · 14 strokes · 3 prompts · 22 slices", as far as it is known. */
export function workWords(work: Progress["work"]): string {
  if (!work) return "no time recorded";
  const counts = [
    [work.strokes, "strokes"],
    [work.prompts, "prompts"],
    [work.slices, "slices"],
  ] as const;
  const known = counts.flatMap(([value, name]) => (value === null ? [] : `${value.toFixed(value < 10 ? 1 : 0)} ${name}`));
  return [`${work.minutes.toFixed(1)} min`, ...known].join(" · ");
}
