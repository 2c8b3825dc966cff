import { describe, expect, test } from "vitest";
import { getJson } from "../src/api/client";
import { annotatorName, nameOnTheWire, rename, tidyName, typedName } from "../src/api/person";
import { takeWire } from "./wire";

const NAMES = ["Jürgen Müßig", "Ольга Иванова", "山田 太郎", "محمد", "नेहा शर्मा", "Ngô Thị Hà", "O’Brien-Łukasz", "🩻 reader", "a%20b"];

describe("a name", () => {
  test.each(NAMES)("%s stays as it is, and one person stays one person", async (name) => {
    rename(name);
    expect(annotatorName.value).toBe(name.normalize("NFC"));
    rename(name.normalize("NFD"));
    expect(annotatorName.value).toBe(name.normalize("NFC"));
    const asked = takeWire(() => ({ json: {} }));
    await getJson("/projects");
    expect(decodeURIComponent(asked[0]!.headers["X-Annotator"]!)).toBe(name.normalize("NFC"));
    expect(nameOnTheWire()).toMatch(/^[\x21-\x7e]+$/);
  });

  test("two names in one script are two people", () => {
    expect(new Set(NAMES.map(tidyName)).size).toBe(NAMES.length);
  });

  test("loses only what nobody sees", () => {
    expect(tidyName("  Ada \t\n Lovelace\u0000\u202e ")).toBe("Ada Lovelace");
    expect([...tidyName("😀".repeat(80))]).toHaveLength(64);
    rename(" \u0007 ");
    expect(annotatorName.value).toBe("local");
    typedName.value = "\ud800";
    expect(nameOnTheWire).not.toThrow();
  });
});
