/** Takes the annotations, or the model in use, out as a file. */
import { useState } from "preact/hooks";
import { exportProject } from "../api/calls";
import type { Project } from "../api/types";
import { Send, useSending } from "./forms";

const MODELS = ["model", "torchscript", "onnx", "monai-bundle", "shared-model"];
const FORMATS: Record<Project["kind"], readonly string[]> = {
  segmentation: [
    "nifti",
    "nrrd",
    "mha",
    "msd",
    "nnunet",
    "coco",
    "coco-polygons",
    "labelstudio",
    "cvat",
    "dicom-seg",
    "dicom-labelmap",
    "rtstruct",
    "dicom-sr",
    "croissant",
    "table",
    "parquet",
    "accepted",
    "frames",
    "measurements",
    "marks",
    ...MODELS,
    "model-card",
    "change-record",
  ],
  classification: ["csv", "labelstudio", "cvat", "croissant", "table", "parquet", "accepted", ...MODELS, "model-card", "change-record"],
};

export function ExportPanel({ project }: { project: Project }) {
  const formats = FORMATS[project.kind];
  const [format, setFormat] = useState(formats[0]!);
  const sending = useSending();
  const send = async (): Promise<void> => keep(await (await exportProject(project.id, format)).blob(), `${project.name}-${format}.zip`);
  return (
    <section class="panel">
      <h2>Export</h2>
      <form class="fields" onSubmit={sending.submit(send)}>
        <label class="field">
          As
          <select value={format} data-testid="export-format" onChange={(event) => setFormat(event.currentTarget.value)}>
            {formats.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <Send sending={sending} testid="export">
          Download
        </Send>
      </form>
    </section>
  );
}

function keep(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
