/** A chart or a table with buttons that give it as a file. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { cellsOf, csvText, pngOf, saveAs, svgText } from "../browser/files";
import { tellError } from "../state/notices";

interface TakeawayProps {
  /** Of the file, without its ending. */
  name: string;
  /** All rows, where the table shows only some. */
  rows?: () => string[][];
  children: ComponentChildren;
}

export function Takeaway({ name, rows, children }: TakeawayProps) {
  const box = useRef<HTMLDivElement>(null);
  const [holds, setHolds] = useState("");
  const chart = (): SVGSVGElement | null => box.current?.querySelector<SVGSVGElement>("figure svg") ?? null;
  const table = (): HTMLTableElement | null => box.current?.querySelector("table") ?? null;
  useLayoutEffect(() => setHolds(`${chart() ? "chart " : ""}${table() ? "table" : ""}`));
  const save = (ending: string, made: () => Blob | Promise<Blob>): void => {
    Promise.resolve()
      .then(made)
      .then((file) => saveAs(`${name}.${ending}`, file))
      .catch(tellError);
  };
  return (
    <div ref={box}>
      {children}
      {holds !== "" && (
        <div class="takeaway">
          {holds.includes("chart") && (
            <>
              <button
                class="small quiet"
                data-testid={`${name}-svg`}
                onClick={() => save("svg", () => new Blob([svgText(chart()!)], { type: "image/svg+xml" }))}
              >
                SVG
              </button>
              <button class="small quiet" data-testid={`${name}-png`} onClick={() => save("png", () => pngOf(chart()!))}>
                PNG
              </button>
            </>
          )}
          {holds.includes("table") && (
            <button
              class="small quiet"
              data-testid={`${name}-csv`}
              onClick={() => save("csv", () => new Blob([csvText(rows ? rows() : cellsOf(table()!))], { type: "text/csv" }))}
            >
              CSV
            </button>
          )}
        </div>
      )}
    </div>
  );
}
