import { expect, test } from "vitest";
import { parseMarkup } from "../src/state/markup";

const text = (words: string) => ({ kind: "text", text: words });

test("headings, lists, emphasis and pictures are told apart, and lines stay lines", () => {
  expect(parseMarkup("# Liver\nDraw the **whole** organ,\n*without* vessels.\n\n- `HU` > 40\n- ![edge](picture-2) here\n1. first\n2. second")).toEqual([
    { kind: "heading", parts: [text("Liver")] },
    {
      kind: "paragraph",
      parts: [text("Draw the "), { kind: "strong", text: "whole" }, text(" organ,"), text("\n"), { kind: "em", text: "without" }, text(" vessels.")],
    },
    {
      kind: "list",
      ordered: false,
      items: [
        [{ kind: "code", text: "HU" }, text(" > 40")],
        [{ kind: "picture", number: 2, caption: "edge" }, text(" here")],
      ],
    },
    { kind: "list", ordered: true, items: [[text("first")], [text("second")]] },
  ]);
});

test("what looks like a page, a link or a foreign picture is text", () => {
  for (const hostile of [
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://example.org/a.png)",
    "![x](picture-0)",
    "![x](picture-1/../../me)",
  ]) {
    const [block] = parseMarkup(hostile);
    expect(block).toMatchObject({ kind: "paragraph" });
    expect(block!.kind === "paragraph" && block!.parts.every((part) => part.kind === "text")).toBe(true);
    expect(block!.kind === "paragraph" && block!.parts.map((part) => part.kind === "text" && part.text).join("")).toBe(hostile);
  }
});

test("plain texts of before are as they were", () => {
  expect(parseMarkup("Outline 2 * 3 cm * of it.\n\nThanks")).toEqual([
    { kind: "paragraph", parts: [text("Outline 2 * 3 cm * of it.")] },
    { kind: "paragraph", parts: [text("Thanks")] },
  ]);
});
