import { describe, expect, test } from "vitest";
import type { Configuration, Setting } from "../src/api/types";
import { changedSettings, changedTask, formOf, groupsOf, leftTyped, readTyped, withOverlap } from "../src/state/configuring";

const setting = (name: string, value: Setting["value"]): Setting => ({
  name,
  group: "Queries",
  value,
  default: value,
  help: "",
  applies: "next query",
  choices: [],
  low: null,
  high: null,
});
const SETTINGS = [setting("batch_size", 4), setting("first_strategy", "random"), setting("interactive_network", false)];
const FOUND: Configuration = {
  name: "Livers",
  settings: SETTINGS,
  task: { version: 3, kind: "segmentation", pictures: 0, instructions: "Outline", labels: [{ value: 1, name: "liver", colour: "#111111" }] },
};
const form = formOf(FOUND);

describe("the settings page", () => {
  test("sends what differs, as the setting's own kind", () => {
    const typed = new Map<string, string | boolean>([
      ["batch_size", " 6 "],
      ["first_strategy", "random"],
      ["interactive_network", true],
    ]);
    expect(changedSettings(SETTINGS, typed)).toEqual({ batch_size: 6, interactive_network: true });
  });

  test("groups settings in the server's order, and finds them by all words of name, group and meaning", () => {
    const canary = { ...setting("release_canary", 0), group: "Release of models", help: "Share of the cases of a trial" };
    const all = [...SETTINGS, canary];
    const found = (wanted: string): string[][] => groupsOf(all, wanted).map(({ title, settings }) => [title, ...settings.map(({ name }) => name)]);
    expect(found("")).toEqual([
      ["Queries", "batch_size", "first_strategy", "interactive_network"],
      ["Release of models", "release_canary"],
    ]);
    expect(found("  Release TRIAL")).toEqual([["Release of models", "release_canary"]]);
    expect(found("batch size")).toEqual([["Queries", "batch_size"]]);
    expect(found("batch trial")).toEqual([]);
  });

  test("leaves it to the server to refuse what is no number", () => {
    expect([readTyped(SETTINGS[0]!, "six"), readTyped(SETTINGS[0]!, ""), readTyped(SETTINGS[0]!, "0,5")]).toEqual(["six", "", 0.5]);
  });

  test("makes no version of a task that nobody changed", () => {
    expect(changedTask(FOUND, form)).toBe(null);
    expect(changedTask(FOUND, { ...form, labels: [...form.labels, { value: null, name: " " }] })).toBe(null);
  });

  test("names the version it was made on, and all labels when one is new", () => {
    const change = changedTask(FOUND, { ...form, labels: [...form.labels, { value: null, name: "cyst " }] });
    expect(change).toEqual({ version: 3, labels: [...form.labels, { value: null, name: "cyst" }] });
    expect(changedTask(FOUND, { ...form, pictures: ["data:image/png;base64,iVBO"] })).toEqual({ version: 3, pictures: ["iVBO"] });
    expect(changedTask(FOUND, { ...form, instructions: "" })).toEqual({ version: 3, instructions: "" });
  });

  test("says what labels share voxels with by name, also of a new and a renamed one, and only what differs", () => {
    const labels = [...form.labels, { value: null, name: "cyst" }, { value: null, name: "vessel" }];
    const wanted = withOverlap({ ...form, labels, inside: [null, 0, null] }, 2, 0);
    expect(changedTask(FOUND, wanted)).toMatchObject({ inside: { cyst: "liver" }, overlaps: { liver: ["vessel"], vessel: ["liver"] } });
    expect(changedTask(FOUND, withOverlap(wanted, 0, 2))).toMatchObject({ inside: { cyst: "liver" } });
    const [liver] = FOUND.task.labels;
    const task = {
      ...FOUND.task,
      labels: [
        { ...liver!, overlaps: [2] },
        { value: 2, name: "rib", colour: "#222222", inside: null, overlaps: [1] },
      ],
    };
    const found = { ...FOUND, task };
    expect(changedTask(found, formOf(found))).toBe(null);
    expect(changedTask(found, withOverlap(formOf(found), 0, 1))).toEqual({ version: 3, overlaps: { liver: [], rib: [] } });
  });
});

test("a save takes away what was sent and leaves what was typed meanwhile; a reading anew takes nothing", () => {
  const sent = new Map([
    ["batch_size", "9"],
    ["members", "2"],
  ]);
  const typed = new Map([...sent, ["members", "3"], ["seed", "1"]] as const);
  expect([...leftTyped(typed, sent)]).toEqual([
    ["members", "3"],
    ["seed", "1"],
  ]);
  expect([...leftTyped(typed, new Map())]).toEqual([...typed]);
});
