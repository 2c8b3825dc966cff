/** What the points of the pool's map are coloured by. Colours tell apart for the colour-blind (Okabe and Ito 2008; cividis, Nuñez et al. 2018). */
import type { Label, PoolMap } from "../api/types";

export type Colouring = "state" | "label" | "uncertainty" | "quality" | "round" | "split" | "group";

export interface Entry {
  name: string;
  colour: string;
  /** Numbers of the points that have it. */
  points: number[];
}

const KINDS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#5e3c99"];
const STEPS = ["#00224e", "#1d3b6c", "#434e6c", "#61626f", "#7d7c78", "#9a9374", "#bbad6c", "#dcc95e", "#fee838"];
const NOTHING = "#9aa5ab";
const STATES: Record<string, string> = { unlabelled: NOTHING, queried: "#d55e00", annotated: "#0072b2", skipped: "#e69f00", flagged: "#cc79a7" };
/** Of more kinds the smallest are put together. */
const MOST_KINDS = KINDS.length;

export const COLOURINGS: readonly [Colouring, string][] = [
  ["state", "State"],
  ["label", "Label"],
  ["uncertainty", "Uncertainty"],
  ["quality", "Expected quality"],
  ["round", "Round"],
  ["split", "Split"],
];

/** The legend: every point in exactly one entry, in the order in which they are drawn. */
export function entriesOf(map: PoolMap, by: Colouring, labels: readonly Label[]): Entry[] {
  if (by === "uncertainty") return byValue(map.uncertainties, "not predicted");
  if (by === "quality") return byValue(map.qualities, "not predicted");
  if (by === "round") return byRound(map.rounds);
  if (by === "state") return byKind(map.states, (name) => STATES[name]);
  if (by === "split") return byKind(map.splits, (name) => (name === "train" ? NOTHING : undefined));
  if (by === "group") return byKind(map.groups, (name) => (name === "" ? NOTHING : undefined), "not known");
  return byKind(map.labels, (name) => (name === "" ? NOTHING : labels.find((label) => label.name === name)?.colour), "not annotated");
}

/** What lies further back is drawn first: points without a value, then the most frequent. */
function byKind(values: readonly string[], known: (name: string) => string | undefined, empty = ""): Entry[] {
  const found = new Map<string, number[]>();
  values.forEach((value, n) => {
    const points = found.get(value);
    if (points) points.push(n);
    else found.set(value, [n]);
  });
  const ordered = [...found].sort(([a, x], [b, y]) => Number(known(b) === NOTHING) - Number(known(a) === NOTHING) || y.length - x.length || (a < b ? -1 : 1));
  const free = KINDS.filter((colour) => !ordered.some(([name]) => known(name) === colour));
  let used = 0;
  const entries = ordered.map(([name, points]) => ({ name: name || empty, colour: known(name) ?? free[used++] ?? "", points }));
  const named = entries.filter(({ colour }) => colour !== "");
  const others = entries.filter(({ colour }) => colour === "");
  return others.length === 0 ? named : [...named, { name: `${others.length} others`, colour: "#000000", points: others.flatMap(({ points }) => points) }];
}

/** Nine steps of equal width over the values that there are. */
export function byValue(values: readonly (number | null)[], empty: string): Entry[] {
  const given = values.filter((value): value is number => value !== null);
  const [low, high] = [given.reduce((a, b) => Math.min(a, b), Infinity), given.reduce((a, b) => Math.max(a, b), -Infinity)];
  const width = (high - low) / STEPS.length || 1;
  const steps: number[][] = STEPS.map(() => []);
  const none: number[] = [];
  values.forEach((value, n) => {
    if (value === null) none.push(n);
    else steps[Math.min(STEPS.length - 1, Math.floor((value - low) / width))]!.push(n);
  });
  const entries = steps.map((points, n) => ({ name: `${short(low + n * width)} to ${short(low + (n + 1) * width)}`, colour: STEPS[n]!, points }));
  return [...(none.length > 0 ? [{ name: empty, colour: NOTHING, points: none }] : []), ...entries.filter(({ points }) => points.length > 0)];
}

const short = (value: number): string => value.toFixed(3).replace(/\.?0+$/, "");

function byRound(rounds: readonly (number | null)[]): Entry[] {
  const numbers = [...new Set(rounds)].filter((round): round is number => round !== null).sort((a, b) => a - b);
  if (numbers.length > MOST_KINDS) return byValue(rounds, "never queried");
  const entry = (round: number | null, name: string, colour: string): Entry => ({
    name,
    colour,
    points: rounds.flatMap((one, n) => (one === round ? [n] : [])),
  });
  const each = numbers.map((round, n) => entry(round, `round ${round}`, KINDS[n]!));
  const never = entry(null, "never queried", NOTHING);
  return never.points.length > 0 ? [never, ...each] : each;
}
