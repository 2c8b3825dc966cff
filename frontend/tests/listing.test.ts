import { expect, it } from "vitest";
import { casesFile } from "../src/api/calls";
import { EVERYTHING } from "../src/state/filters";

it("asks for all cases without naming a label or a kind, which the server would refuse", () => {
  const asked = new URLSearchParams(casesFile("p", EVERYTHING).split("?")[1]);
  expect([asked.get("lacks"), asked.get("given"), asked.get("search")]).toEqual([null, null, ""]);
});

it("asks for the cases that lack a label or have a kind", () => {
  const asked = new URLSearchParams(casesFile("p", { ...EVERYTHING, lacks: "2", given: "scribble" }).split("?")[1]);
  expect([asked.get("lacks"), asked.get("given")]).toEqual(["2", "scribble"]);
});
