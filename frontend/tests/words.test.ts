/** What the page says uses the field's words (docs/glossary.md), not those that once grew here; tests/docs/test_words.py holds docs and help to the same. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const SRC = join(import.meta.dirname, "../src");

/** Words that texts of the page must not use, and the field's term for each. */
const PRIVATE: [string, string][] = [
  ["mend(s|ed|ing)?", "correct, edit"],
  ["doubt(s|ed|ful|fully)?|unsure", "uncertainty, uncertain"],
  ["gestures?|hint(s|ed)?", "prompt"],
  ["robots?|rehears\\w*|apprentices?", "simulated annotator, click simulation"],
  ["teach(es|ing)?|taught", "train on"],
  ["told|said|noted|heed(s|ed)?|hands?", "say what is meant: given, reported, enforced"],
  ["(un)?answer(s|ed|ing)?", "annotate, annotation; of the server: reply"],
  ["ask(s|ed|ing)?", "query, request"],
  ["spoil(s|t|ed|ing)?", "corrupt"],
  ["guess(es|ed)?", "predict"],
  ["(un)?folded", "space-to-depth stem"],
  ["needs? to look", "triage"],
];

/** Attributes whose strings nobody reads. */
const UNREAD = /^(class|data-\w+|testid|id|for|type|key|role|href|icon|d|viewBox)$/;

interface Text {
  file: string;
  line: number;
  words: string;
}

/** Texts of one source: what stands between tags or in their attributes, and strings that hold a space or begin with a capital letter. */
function textsOf(file: string, source: string): Text[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const found: Text[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) return;
    if (ts.isJsxAttribute(node) && UNREAD.test(node.name.getText())) return;
    const words = wordsOf(node);
    const inTag = ts.isJsxText(node) || ts.isJsxAttribute(node.parent ?? tree);
    if (inTag || /^[A-Z]|\s/.test(words)) found.push({ file, line: tree.getLineAndCharacterOfPosition(node.getStart()).line + 1, words });
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function wordsOf(node: ts.Node): string {
  if (ts.isJsxText(node) || ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text.trim();
  if (!ts.isTemplateExpression(node)) return "";
  return [node.head.text, ...node.templateSpans.map((span) => span.literal.text)].join("…");
}

function privateWords({ file, line, words }: Text): string[] {
  return PRIVATE.flatMap(([word, term]) =>
    [...words.matchAll(new RegExp(`\\b(${word})\\b`, "gi"))].map((found) => `${file}:${line} '${found[0]}' in '${words.replace(/\s+/g, " ")}': ${term}`),
  );
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) => /\.tsx?$/.test(file));

/** A key in a text: people change theirs, so tooltips and hints read the table (`withKey`, `<Key of>`). */
const KEY = /\((?:(?:Shift|Ctrl|Alt) \+ )*[A-Z]\)|\b(?:Shift|Ctrl|Alt) \+ [A-Z]\b|\b[Pp]ress [A-Z]\b|(?:^|[;·] *)[A-Z]: /;
/** The tables themselves, and what a name of a key is made of. */
const TABLES = /^tools\/(\w*keys|keynames|keytable\w*)\.ts$/;

describe("the page's words", () => {
  it("are found between tags, in labels and in templates, not in names", () => {
    const source = 'const doubt = "doubt"; const a = <p class="a hint" title="doubt">Mend it {`Answer`}</p>;';
    expect(textsOf("a.tsx", source).flatMap(privateWords)).toHaveLength(3);
  });

  it("name no key that people can change", () => {
    const texts = files.filter((file) => !TABLES.test(file)).flatMap((file) => textsOf(file, readFileSync(join(SRC, file), "utf8")));
    expect(texts.filter(({ words }) => KEY.test(words)).map(({ file, line, words }) => `${file}:${line} ${words}`)).toEqual([]);
    expect(["Low (Shift + I)", "Draw (Z)", "press Q: so", "N: next"].every((words) => KEY.test(words))).toBe(true);
  }, 60_000);

  it("are the field's", () => {
    const found = files.flatMap((file) => textsOf(file, readFileSync(join(SRC, file), "utf8")).flatMap(privateWords));
    expect(found.join("\n")).toBe("");
  }, 60_000); // parses every source: seconds on a busy machine
});
