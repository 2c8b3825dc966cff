/** Is this image good enough? A file is dropped, looked at by the server and forgotten; the answer has picture, proposal, measures and reasons. */
import { useEffect, useRef, useState } from "preact/hooks";
import { judgeFile } from "../api/calls";
import type { Acquisition, Project } from "../api/types";
import { tellError } from "../state/notices";
import { Outcome } from "./acquisitionoutcome";
import { Empty } from "./controls";
import { Header } from "./header";

interface Asked {
  alarm: number;
  measure: string;
  tolerance: number;
  pixel_mm: string;
}

const MEASURES = ["", "circumference", "diameter", "in_plane_diameter", "area", "volume"];

export function AcquisitionView({ project }: { project: Project }) {
  const [asked, setAsked] = useState<Asked>({ alarm: 0.05, measure: "", tolerance: 0.1, pixel_mm: "" });
  const [file, setFile] = useState<File | null>(null);
  const [found, setFound] = useState<Acquisition | null>(null);
  const [seconds, setSeconds] = useState(0);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    document.title = `Check an image – ${project.name}`;
  }, [project.id]);
  useEffect(() => {
    if (!file) return;
    const request = new AbortController();
    const begun = performance.now();
    setBusy(true);
    setFound(null);
    judgeFile(project.id, file, asked, request.signal)
      .then((answer) => {
        setSeconds((performance.now() - begun) / 1000);
        setFound(answer);
      })
      .catch((error: unknown) => {
        if (!request.signal.aborted) tellError(error);
      })
      .finally(() => {
        if (!request.signal.aborted) setBusy(false);
      });
    return () => request.abort();
  }, [file, asked, project.id]);
  return (
    <div class="view">
      <Header project={project} view="worklist" />
      <main class="page page-wide" data-testid="acquisition">
        <h1>Check an image</h1>
        <p class="hint">Accept, or acquire again, by this project's own images and its model. The image is not kept.</p>
        <Demands asked={asked} onChange={setAsked} masks={project.kind === "segmentation"} />
        <DropZone busy={busy} onFile={setFile} />
        {found && file ? <Outcome found={found} seconds={seconds} /> : !busy && <Empty title="No image yet">Drop a file of an image, or choose one.</Empty>}
      </main>
    </div>
  );
}

function Demands({ asked, onChange, masks }: { asked: Asked; onChange: (asked: Asked) => void; masks: boolean }) {
  const percent = (name: "alarm" | "tolerance", words: string, choices: number[]) => (
    <label class="hint">
      {words}{" "}
      <select value={asked[name]} data-testid={`acquisition-${name}`} onChange={(event) => onChange({ ...asked, [name]: Number(event.currentTarget.value) })}>
        {choices.map((share) => (
          <option key={share} value={share}>
            {Math.round(share * 100)} %
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <div class="filter-bar">
      {percent("alarm", "Good images that may be called bad:", [0.01, 0.05, 0.1, 0.2])}
      {masks && (
        <label class="hint">
          Acquired for{" "}
          <select value={asked.measure} data-testid="acquisition-measure" onChange={(event) => onChange({ ...asked, measure: event.currentTarget.value })}>
            {MEASURES.map((name) => (
              <option key={name} value={name}>
                {name ? name.replaceAll("_", " ") : "no measure"}
              </option>
            ))}
          </select>
        </label>
      )}
      {masks && (
        <label class="hint">
          Pixel size in mm, where the file has none{" "}
          <input
            type="number"
            min="0.001"
            max="99"
            step="any"
            value={asked.pixel_mm}
            data-testid="acquisition-pixel"
            onChange={(event) => onChange({ ...asked, pixel_mm: event.currentTarget.value })}
          />
        </label>
      )}
      {asked.measure && percent("tolerance", "whose bounds may be away", [0.02, 0.05, 0.1, 0.25])}
    </div>
  );
}

function DropZone({ busy, onFile }: { busy: boolean; onFile: (file: File) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const take = (files: FileList | null | undefined): void => {
    if (files?.[0]) onFile(files[0]);
  };
  return (
    <section
      class="panel"
      aria-label="Image to check"
      data-testid="acquisition-drop"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        take(event.dataTransfer?.files);
      }}
    >
      <input
        ref={input}
        type="file"
        hidden
        data-testid="acquisition-file"
        onChange={(event) => {
          take(event.currentTarget.files);
          event.currentTarget.value = ""; // the same file may be chosen again
        }}
      />
      <button class="primary" disabled={busy} onClick={() => input.current?.click()}>
        {busy ? "Looking at it…" : "Choose an image"}
      </button>{" "}
      <span class="hint">or drop one here</span>
    </section>
  );
}
