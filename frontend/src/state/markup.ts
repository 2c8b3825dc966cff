/** The few signs that instructions may be written with. They become a tree of known parts, never HTML: nothing in a text can run. */

export interface Picture {
  kind: "picture";
  number: number;
  caption: string;
}

export type Inline = { kind: "text" | "strong" | "em" | "code"; text: string } | Picture;

export type Block = { kind: "heading"; parts: Inline[] } | { kind: "paragraph"; parts: Inline[] } | { kind: "list"; ordered: boolean; items: Inline[][] };

const INLINE = /!\[([^\]\n]*)\]\(picture-([1-9]\d?)\)|\*\*(?!\s)([^*\n]+)(?<!\s)\*\*|\*(?!\s)([^*\n]+)(?<!\s)\*|`([^`\n]+)`/g;
const ITEM = /^\s*(?:[-*]|(\d{1,3})[.)])\s+(.*)$/;
const HEADING = /^#{1,4}\s+(.*)$/;

/** `# Heading`, `- item`, `1. item`, `**strong**`, `*emphasis*`, `` `code` `` and `![caption](picture-1)`; everything else is text as it stands. */
export function parseMarkup(text: string): Block[] {
  const blocks: Block[] = [];
  let open = false; // whether the last block goes on
  for (const line of text.split(/\r?\n/)) {
    const last = open ? blocks.at(-1) : undefined;
    const item = ITEM.exec(line);
    const heading = HEADING.exec(line);
    open = line.trim() !== "" && !heading;
    if (heading) blocks.push({ kind: "heading", parts: inlineOf(heading[1]!) });
    else if (item) {
      const ordered = item[1] !== undefined;
      if (last?.kind === "list" && last.ordered === ordered) last.items.push(inlineOf(item[2]!));
      else blocks.push({ kind: "list", ordered, items: [inlineOf(item[2]!)] });
    } else if (last?.kind === "paragraph") last.parts.push({ kind: "text", text: "\n" }, ...inlineOf(line));
    else if (open) blocks.push({ kind: "paragraph", parts: inlineOf(line) });
  }
  return blocks.map((block) => (block.kind === "paragraph" ? { ...block, parts: withoutEnd(block.parts) } : block));
}

function inlineOf(line: string): Inline[] {
  const parts: Inline[] = [];
  let at = 0;
  for (const found of line.matchAll(INLINE)) {
    if (found.index > at) parts.push({ kind: "text", text: line.slice(at, found.index) });
    parts.push(partOf(found));
    at = found.index + found[0].length;
  }
  if (at < line.length) parts.push({ kind: "text", text: line.slice(at) });
  return parts;
}

function partOf([, caption, number, strong, em, code]: RegExpExecArray | RegExpMatchArray): Inline {
  if (number) return { kind: "picture", number: Number(number), caption: caption ?? "" };
  if (strong) return { kind: "strong", text: strong };
  return em ? { kind: "em", text: em } : { kind: "code", text: code! };
}

const isBreak = (part: Inline | undefined): boolean => part?.kind === "text" && part.text === "\n";

function withoutEnd(parts: Inline[]): Inline[] {
  return isBreak(parts.at(-1)) ? parts.slice(0, -1) : parts;
}
