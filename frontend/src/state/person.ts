/** Who answers. Until accounts exist, a name typed here; it travels as a header and so is plain ASCII. */
import { keptSignal } from "./kept";

export const annotatorName = keptSignal<string>("annotator", "local");

export function rename(name: string): void {
  const plain = name
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9 ._@-]/g, "")
    .trim()
    .slice(0, 64);
  annotatorName.value = plain || "local";
}
