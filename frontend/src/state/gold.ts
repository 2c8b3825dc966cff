/** Feedback on gold cases: shown after such a case was submitted, until its reader goes on. */
import { signal } from "@preact/signals";
import * as calls from "../api/calls";
import type { Feedback } from "../api/types";
import { tellError } from "./notices";

export interface ShownFeedback {
  found: Feedback;
  picture: string | null;
  goOn: () => void;
}

export const feedback = signal<ShownFeedback | null>(null);

/** Show what came of a gold case, and wait until its reader goes on. */
export async function showFeedback(project: string, assignment: string): Promise<void> {
  try {
    const found = await calls.readFeedback(project, assignment);
    const drawn = found.score !== null && Object.keys(found.by_label).length > 0;
    await new Promise<void>((resolve) => {
      const goOn = (): void => {
        feedback.value = null;
        resolve();
      };
      feedback.value = { found, picture: drawn ? calls.feedbackPicture(project, assignment) : null, goOn };
    });
  } catch (error) {
    tellError(error);
  }
}
