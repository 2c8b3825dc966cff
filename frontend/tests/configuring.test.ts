import { describe, expect, test } from "vitest";
import type { Configuration, Setting } from "../src/api/types";
import { changedSettings, changedTask, readTyped } from "../src/state/configuring";

const setting = (name: string, value: Setting["value"]): Setting => ({
  name,
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
const form = { name: "Livers", instructions: "Outline", labels: [{ value: 1, name: "liver", colour: "#111111" }] };

describe("the settings page", () => {
  test("sends what differs, as the setting's own kind", () => {
    const typed = new Map<string, string | boolean>([
      ["batch_size", " 6 "],
      ["first_strategy", "random"],
      ["interactive_network", true],
    ]);
    expect(changedSettings(SETTINGS, typed)).toEqual({ batch_size: 6, interactive_network: true });
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
    expect(changedTask(FOUND, { ...form, instructions: "" })).toEqual({ version: 3, instructions: "" });
  });
});
