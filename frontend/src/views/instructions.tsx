/** The instructions of a project, with its pictures. */
import { picturePath } from "../api/calls";
import { type Block, type Inline, parseMarkup } from "../state/markup";

interface InstructionsProps {
  project: string;
  text: string;
  /** Pictures that are not sent yet, by their number, as data URLs. */
  fresh?: ReadonlyMap<number, string>;
}

export function Instructions({ project, text, fresh }: InstructionsProps) {
  const source = (number: number): string => fresh?.get(number) ?? picturePath(project, number);
  return (
    <div class="instructions">
      {parseMarkup(text).map((block, n) => (
        <Shown key={n} block={block} source={source} />
      ))}
    </div>
  );
}

type Source = (number: number) => string;

function Shown({ block, source }: { block: Block; source: Source }) {
  if (block.kind === "heading") return <h4>{block.parts.map((part, n) => inline(part, n, source))}</h4>;
  if (block.kind === "paragraph") return <p>{block.parts.map((part, n) => inline(part, n, source))}</p>;
  const items = block.items.map((parts, n) => <li key={n}>{parts.map((part, m) => inline(part, m, source))}</li>);
  return block.ordered ? <ol>{items}</ol> : <ul>{items}</ul>;
}

function inline(part: Inline, key: number, source: Source) {
  if (part.kind === "picture") return <Picture key={key} source={source(part.number)} number={part.number} caption={part.caption} />;
  if (part.kind === "strong") return <strong key={key}>{part.text}</strong>;
  if (part.kind === "em") return <em key={key}>{part.text}</em>;
  return part.kind === "code" ? <code key={key}>{part.text}</code> : part.text;
}

function Picture({ source, number, caption }: { source: string; number: number; caption: string }) {
  return (
    <figure>
      <img src={source} alt={caption || `Picture ${number}`} loading="lazy" />
      {caption && <figcaption aria-hidden="true">{caption}</figcaption>}
    </figure>
  );
}
