/** What was changed on the settings page, as the server wants to hear it; only what differs is sent. */
import type { Configuration, LabelBody, Setting, SettingValue, TaskBody } from "../api/types";

/** The form as typed: text, except for yes or no. */
export type Typed = string | boolean;

export interface TaskForm {
  name: string;
  instructions: string;
  /** Pictures to add, as data URLs. */
  pictures: string[];
  labels: LabelBody[];
  /** By place of the label: places of the label that it lies inside of, null for none, and of those that it overlaps. */
  inside: (number | null)[];
  overlaps: number[][];
}

/** What is typed and was not sent: what came in while the others were saved, or whatever else was read anew. */
export const leftTyped = (typed: ReadonlyMap<string, Typed>, sent: ReadonlyMap<string, Typed>): ReadonlyMap<string, Typed> =>
  new Map([...typed].filter(([name, value]) => sent.get(name) !== value));

/** The form as the project stands. */
export function formOf({ name, task }: Configuration): TaskForm {
  const place = (value: number): number => task.labels.findIndex((label) => label.value === value);
  return {
    name,
    instructions: task.instructions,
    pictures: [],
    labels: task.labels.map(({ value, name: own, colour }) => ({ value, name: own, colour })),
    inside: task.labels.map(({ inside }) => (inside ? place(inside) : null)),
    overlaps: task.labels.map(({ overlaps }) => (overlaps ?? []).map(place)),
  };
}

/** The form with two labels that overlap, or do not any more. */
export function withOverlap(form: TaskForm, one: number, other: number): TaskForm {
  const turned = (from: number, to: number): number[] => {
    const now = form.overlaps[from] ?? [];
    return now.includes(to) ? now.filter((at) => at !== to) : [...now, to].sort((a, b) => a - b);
  };
  const found = form.labels.map((_, n) => (n === one ? turned(one, other) : n === other ? turned(other, one) : (form.overlaps[n] ?? [])));
  return { ...form, overlaps: found };
}

/** A file as a data URL, to be shown before it is sent. */
export const readPicture = (file: Blob): Promise<string> =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error ?? new Error("The picture cannot be read"));
    reader.readAsDataURL(file);
  });

export const typedOf = ({ value }: Setting): Typed => (typeof value === "boolean" ? value : String(value));

/** What was typed as a value of the setting's own kind; text that is no number stays text, so that the server can say what is wrong. */
export function readTyped(setting: Setting, typed: Typed): SettingValue {
  if (typeof typed === "boolean" || typeof setting.default !== "number") return typed;
  return numberOf(typed);
}

export function numberOf(typed: string): number | string {
  const number = Number(typed.trim().replace(",", "."));
  return typed.trim() === "" || !Number.isFinite(number) ? typed : number;
}

export function changedSettings(settings: readonly Setting[], typed: ReadonlyMap<string, Typed>): Record<string, SettingValue> {
  const changed = settings.filter((setting) => typed.has(setting.name) && readTyped(setting, typed.get(setting.name)!) !== setting.value);
  return Object.fromEntries(changed.map((setting) => [setting.name, readTyped(setting, typed.get(setting.name)!)]));
}

/** Null when nothing was changed. Labels without a name that are new were not meant. */
export function changedTask(found: Configuration, form: TaskForm): TaskBody | null {
  const { name, task } = found;
  const labels = form.labels.filter((label) => label.value !== null || label.name.trim() !== "").map((label) => ({ ...label, name: label.name.trim() }));
  const change: TaskBody = { version: task.version };
  if (form.name.trim() !== name) change.name = form.name.trim();
  if (form.instructions !== task.instructions) change.instructions = form.instructions;
  if (form.pictures.length > 0) change.pictures = form.pictures.map((url) => url.slice(url.indexOf(",") + 1));
  if (JSON.stringify(labels) !== JSON.stringify(task.labels.map(({ value, name: own, colour }) => ({ value, name: own, colour })))) change.labels = labels;
  const [before, names] = [formOf(found), form.labels.map((label) => label.name.trim())];
  const named = names.map((own, n) => ({ own, n })).filter(({ own }) => own !== "");
  const inside = named.filter(({ n }) => (form.inside[n] ?? null) !== (before.inside[n] ?? null));
  if (inside.length > 0) change.inside = Object.fromEntries(inside.map(({ own, n }) => [own, names[form.inside[n] ?? -1] ?? ""]));
  const overlaps = named.filter(({ n }) => String(form.overlaps[n] ?? []) !== String(before.overlaps[n] ?? []));
  const others = (n: number): string[] => (form.overlaps[n] ?? []).map((at) => names[at] ?? "").filter((other) => other !== "");
  if (overlaps.length > 0) change.overlaps = Object.fromEntries(overlaps.map(({ own, n }) => [own, others(n)]));
  return Object.keys(change).length > 1 ? change : null;
}

/** Settings that belong together, in the order of the server. */
export interface Group {
  title: string;
  settings: Setting[];
}

/** The groups in order; with words, of the settings that have every one of them in name, group or meaning. */
export function groupsOf(settings: readonly Setting[], wanted = ""): Group[] {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map<string, Setting[]>();
  for (const setting of settings) {
    const { name, group, help, choices } = setting;
    const text = [name, name.replaceAll("_", " "), group, help, ...choices].join(" ").toLowerCase();
    if (words.every((word) => text.includes(word))) groups.set(group, [...(groups.get(group) ?? []), setting]);
  }
  return [...groups].map(([title, own]) => ({ title, settings: own }));
}
