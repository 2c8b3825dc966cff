/** Charts and tables of the page as files: SVG that carries its colours, PNG of it, CSV that no spreadsheet takes for formulas. */

/** What a chart's look depends on; its style sheet stays behind. */
const LOOKS = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "font-size", "font-family", "text-anchor", "opacity"];
/** Pixels of a PNG per unit of its chart. */
const SHARPNESS = 2;

export function saveAs(name: string, data: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(data);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A chart as a file of its own, on the ground that it stands on. */
export function svgText(chart: SVGSVGElement): string {
  const copy = chart.cloneNode(true) as SVGSVGElement;
  const copies = copy.querySelectorAll("*");
  chart.querySelectorAll("*").forEach((part, n) => {
    const look = getComputedStyle(part);
    for (const name of LOOKS) copies[n]!.setAttribute(name, look.getPropertyValue(name));
    copies[n]!.removeAttribute("class");
  });
  const { width, height } = chart.viewBox.baseVal;
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width, height, fill: getComputedStyle(chart.closest(".panel") ?? document.body).backgroundColor }))
    ground.setAttribute(name, String(value));
  copy.prepend(ground);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  return new XMLSerializer().serializeToString(copy);
}

export async function pngOf(chart: SVGSVGElement): Promise<Blob> {
  const { width, height } = chart.viewBox.baseVal;
  const url = URL.createObjectURL(new Blob([svgText(chart)], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width * SHARPNESS, height * SHARPNESS];
    canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => canvas.toBlob((made) => (made ? resolve(made) : reject(new Error("The picture could not be made")))));
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** The cells of a table as one reads them, without its buttons. */
export function cellsOf(table: HTMLTableElement): string[][] {
  return [...table.rows].map((row) =>
    [...row.cells].map((cell) => {
      const copy = cell.cloneNode(true) as HTMLElement;
      for (const part of copy.querySelectorAll("button, input, select, svg")) part.remove();
      const parts = copy.children.length > 1 ? [...copy.childNodes].map((part) => part.textContent ?? "") : [copy.textContent ?? ""];
      return parts
        .map((part) => part.replace(/\s+/g, " ").trim())
        .filter(Boolean)
        .join(" ");
    }),
  );
}

const NUMBER = /^[+\-−]?\d+(\.\d+)?$/;

/** Rows as CSV: what would begin a formula gets a ' before it, as the server's files have it; plain numbers are no formulas. */
export function csvText(rows: readonly (readonly string[])[]): string {
  const shielded = (cell: string): string => (/^[=+\-@\t\r]/.test(cell) && !NUMBER.test(cell) ? `'${cell}` : cell);
  const quoted = (cell: string): string => (/[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return rows.map((row) => `${row.map((cell) => quoted(shielded(cell))).join(",")}\n`).join("");
}
