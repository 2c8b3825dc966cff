/** Four steps on a person's first case, in the panel beside it: nothing is covered, nothing has to be done. */
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { endIntroduction, goToStep, introStep, isIntroduced, STEPS } from "../state/introduction";
import type { CaseSession } from "../state/session";
import { Key } from "./controls";

interface Step {
  title: string;
  /** What it is about, which is marked meanwhile. */
  about: string;
  words: ComponentChildren;
}

export function Introduction({ session }: { session: CaseSession }) {
  if (isIntroduced() || session.looksOnly || session.purpose !== "read") return null;
  const step = introStep.value;
  const { title, about, words } = stepsOf(session)[step]!;
  return (
    <section class="block introduction" aria-label="Introduction" aria-live="polite" data-testid="introduction">
      <Marked about={about} />
      <h3>
        {title}
        <span class="faint">
          {step + 1} of {STEPS}
        </span>
      </h3>
      <p>{words}</p>
      <div class="row">
        <Press testid="intro-skip" onPress={endIntroduction}>
          Skip
        </Press>
        <span class="grow" />
        {step > 0 && (
          <Press testid="intro-back" onPress={() => goToStep(step - 1)}>
            Back
          </Press>
        )}
        <Press testid="intro-next" primary onPress={() => goToStep(step + 1)}>
          {step + 1 < STEPS ? "Next" : "Done"}
        </Press>
      </div>
    </section>
  );
}

/** The part of the page that a step is about has a frame. */
function Marked({ about }: { about: string }) {
  useEffect(() => {
    const marked = document.querySelector(about);
    marked?.classList.add("introduced");
    return () => marked?.classList.remove("introduced");
  }, [about]);
  return null;
}

function Press({ testid, primary, onPress, children }: { testid: string; primary?: boolean; onPress: () => void; children: ComponentChildren }) {
  return (
    <button class={primary ? "small primary" : "small"} data-testid={testid} onMouseDown={(event) => event.preventDefault()} onClick={onPress}>
      {children}
    </button>
  );
}

function stepsOf(session: CaseSession): Step[] {
  const draws = session.project.kind === "segmentation";
  return [
    {
      title: "Look",
      about: ".panes",
      words: (
        <>
          {session.isPicture ? "Turn the wheel to zoom" : `Turn the wheel for the next ${session.sliceWord}`}, drag with the right button for the window.{" "}
          <Key of="fit" /> fits the image again, <Key of="maximise" /> or a double click enlarges one plane.
        </>
      ),
    },
    draws
      ? {
          title: "Draw",
          about: ".toolbar",
          words: (
            <>
              <Key of="brush" /> is the brush, <Key of="eraser" /> the eraser, <Key of="brush-smaller" /> <Key of="brush-larger" /> their size;{" "}
              <Key of="prompt-point" /> lets an engine outline what you click. <Key of="undo" /> takes anything back, and every stroke is saved at once.
            </>
          ),
        }
      : { title: "Choose", about: ".class-list", words: <>Press the digit of a class, or click it. Nothing is submitted until you say so.</> },
    {
      title: "Let the model help",
      about: ".side-scroll",
      words: draws ? (
        <>
          Once a model is trained, cases open with its proposal: <Key of="place-next" /> goes to the place most worth a look, <Key of="uncertainty" /> shows
          where it is uncertain.
        </>
      ) : (
        <>
          Once a model is trained, it says how probable each class is: <Key of="reasons" /> shows where it looks.
        </>
      ),
    },
    {
      title: "Submit",
      about: "[data-testid=submit]",
      words: (
        <>
          <Key of="submit" /> submits and opens the next case; the message that follows can undo it. <Key of="skip" /> skips, <Key of="flag" /> flags it for
          somebody else. <Key of="palette" /> finds every action by words, <Key of="help" /> lists all keys.
        </>
      ),
    },
  ];
}
