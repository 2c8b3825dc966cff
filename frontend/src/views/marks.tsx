/** The panel for marks in place of a mask: which kind, of what, tags of the whole image, and what is marked so far. */
import { useEffect, useMemo } from "preact/hooks";
import type { Triple } from "../api/types";
import { voxelOfIndex } from "../geometry/plane";
import { tool } from "../state/display";
import { flipMarks } from "../state/markmode";
import { takeTool } from "../state/operations";
import type { CaseSession } from "../state/session";
import { MARK_TOOLS, type Mark, type MarkBook, markCrosshair, openMarks, removeMark, setTag, tagOf } from "../tools/marks";
import { ButtonRow } from "./buttonrow";
import { Key, PlainButton, Swatch, Toggle } from "./controls";
import { Icon } from "./icons";

const NAMES: Record<string, string> = { point: "Point", scribble: "Scribble", box: "Box", extremes: "Outermost points" };
const KINDS: Record<string, string> = {
  point: "point",
  scribble: "scribble",
  box: "box",
  extreme_points: "outermost points",
  superpixel: "superpixel",
  tag: "tag",
};

export function MarksPanel({ session }: { session: CaseSession }) {
  const book = useMemo(() => openMarks(session), [session]);
  useEffect(() => {
    if (!(MARK_TOOLS as readonly string[]).includes(tool.value)) takeTool(session, "scribble");
    return book.close;
  }, [session]);
  const marks = book.marks.value;
  const placing = book.placing.value.length;
  return (
    <section class="block" data-testid="marks">
      <h3>
        <span>Marks instead of a mask</span> <Key of="marks" />
      </h3>
      <p class="facts">A box says that all of its label on this slice lies in its boxes. Models learn from marks; they are never evaluated against them.</p>
      <ButtonRow class="chips" role="radiogroup" label="Kind of mark">
        {MARK_TOOLS.map((name) => (
          <PlainButton
            key={name}
            class="chip"
            role="radio"
            checked={!(book.cutting.value && name === "point") && tool.value === name}
            title={NAMES[name]!}
            testid={`mark-${name}`}
            onPress={() => {
              book.cutting.value = false;
              takeTool(session, name);
            }}
          >
            {NAMES[name]}
          </PlainButton>
        ))}
        <PlainButton
          class="chip"
          role="radio"
          checked={book.cutting.value && tool.value === "point"}
          title="Outlines of the slice's superpixels; a click gives one the label, another click takes it back"
          testid="mark-superpixel"
          onPress={() => {
            takeTool(session, "point");
            book.cutting.value = true;
          }}
        >
          Superpixel
        </PlainButton>
      </ButtonRow>
      <Toggle value={book.background} testid="mark-background">
        Background: points and strokes on no label
      </Toggle>
      <PlainButton class="small" title="The keyboard's way: move the crosshair, then mark" testid="mark-here" onPress={() => markCrosshair(session, book)}>
        Mark at the crosshair <Key of="mark-here" />
      </PlainButton>
      {placing > 0 && (
        <p class="facts" role="status" data-testid="mark-placing">
          {placing} placed; the next one at the crosshair goes on
        </p>
      )}
      <Tags session={session} book={book} />
      <ol class="prompt-list" data-testid="mark-list">
        {marks.map((mark, n) => (
          <Row key={n} session={session} mark={mark} onRemove={() => removeMark(book, n)} />
        ))}
      </ol>
      <div class="row pair">
        <PlainButton
          class="small primary"
          disabled={marks.length === 0 || session.busy.value !== ""}
          title="Finish the case with these marks; it may be queried again"
          testid="marks-submit"
          onPress={() => session.marking.value !== "opening" && session.marking.value?.submit()}
        >
          Submit {marks.length} marks <Key of="submit" />
        </PlainButton>
        <PlainButton class="small" title="Back to the mask; the marks are kept" testid="marks-close" onPress={() => flipMarks(session)}>
          Close
        </PlainButton>
      </div>
    </section>
  );
}

function Tags({ session, book }: { session: CaseSession; book: MarkBook }) {
  return (
    <ul class="prompt-list" aria-label="Tags of the whole image">
      {session.labels.map(({ value, name, colour }) => (
        <li key={value} class="prompt-row">
          <Swatch colour={colour} />
          <span class="grow">{name}</span>
          <select
            aria-label={`${name} in this image`}
            data-testid={`tag-${value}`}
            value={tagOf(book, value)}
            onChange={(event) => setTag(book, value, event.currentTarget.value)}
          >
            <option value="">not tagged</option>
            <option value="present">is in it</option>
            <option value="absent">is not in it</option>
          </select>
        </li>
      ))}
    </ul>
  );
}

function Row({ session, mark, onRemove }: { session: CaseSession; mark: Mark; onRemove: () => void }) {
  const label = session.labels.find(({ value }) => value === mark.label);
  const name = mark.label === 0 ? "background" : (label?.name ?? `Label ${mark.label}`);
  const sign = "positive" in mark && !mark.positive ? "not " : mark.kind === "tag" ? (mark.present ? "there: " : "absent: ") : "";
  const place = placeOf(mark, session.header.shape);
  return (
    <li class="prompt-row">
      <button
        type="button"
        class="label-row grow"
        disabled={!place}
        onMouseDown={(event) => event.preventDefault()}
        onClick={() => place && session.lookAt(place)}
      >
        <Swatch colour={label?.colour ?? "#ffffff"} />
        <span class="grow">
          {KINDS[mark.kind]} {sign}
          {name}
        </span>
      </button>
      <button type="button" class="small" aria-label={`Remove this ${KINDS[mark.kind]}`} onMouseDown={(event) => event.preventDefault()} onClick={onRemove}>
        <Icon name="close" />
      </button>
    </li>
  );
}

function placeOf(mark: Mark, shape: Triple): Triple | null {
  if (mark.kind === "superpixel") return voxelOfIndex(shape, mark.runs[0]![0]);
  if (mark.kind === "point") return mark.voxel;
  if (mark.kind === "box") return mark.start.map((low, axis) => Math.floor((low + mark.stop[axis]! - 1) / 2)) as Triple;
  return "voxels" in mark ? (mark.voxels[0] ?? null) : null;
}
