/** What a table of keys is made of. Keys, the overview, the palette and the tooltips all follow the same entries. */
import type { TaskKind } from "../api/types";
import { tell } from "../state/notices";
import { keysOf } from "../state/preferences";
import { chordsOf, isModifier } from "./keynames";

export type Group = "Annotate" | "Look" | "Model" | "Draw" | "Review" | "List" | "Page";

export interface KeyAction<Scene = never> {
  /** Stays for ever: people's own keys are kept by it. */
  id: string;
  group: Group;
  /** What does it until somebody chooses other keys: "Shift+E", "[", "1…9" (any of nine digits). None: by the palette only. */
  keys: readonly string[];
  does: string;
  /** What the mouse does for it. */
  mouse?: string;
  for?: TaskKind;
  /** Changes something, so it is refused where one may only look. */
  changes?: boolean;
  /** Only moves the view: holding the key goes on. Every other key acts once. */
  held?: boolean;
  /** Works where readings are compared, too. */
  compares?: boolean;
  /** Whether there is such a thing here at all. */
  on?: (scene: Scene) => boolean;
  /** Why it cannot be done now; "" when it can. */
  why?: (scene: Scene) => string;
  /** What each of the digits does now, by name. */
  each?: (scene: Scene) => readonly string[];
  /** False where it meant nothing. `at`: which of nine digits, from 0; -1 without one. None: the mouse only. */
  run?: (scene: Scene, at: number) => unknown;
}

/** An entry of a table, for texts: what it runs is the view's business. */
export type KeyEntry = Omit<KeyAction, "on" | "why" | "each" | "run">;

const DIGIT = /[1-9]$/;
const NINE = "1…9";

/** What a press means in a table, the most likely first. */
export function meant<Action extends KeyEntry>(event: KeyboardEvent, actions: readonly Action[]): { action: Action; at: number }[] {
  if (isModifier(event.key)) return [];
  return chordsOf(event).flatMap((chord) => {
    const at = Number(DIGIT.exec(chord)?.[0] ?? 0) - 1;
    const names = [chord, chord.replace(DIGIT, NINE)];
    return actions.filter((action) => keysOf(action).some((key) => names.includes(key))).map((action) => ({ action, at }));
  });
}

/** Run the first meaning of a press that is one here; true when there was one, or when a reason was given why not. */
export function pressIn<Scene>(event: KeyboardEvent, actions: readonly KeyAction<Scene>[], scene: Scene): boolean {
  return meant(event, actions).some(({ action, at }) => !(event.repeat && !action.held) && attempt(action, scene, at));
}

/** Do it, or say why not. */
export function attempt<Scene>(action: KeyAction<Scene>, scene: Scene, at: number): boolean {
  if (!action.run || action.on?.(scene) === false) return false;
  const why = action.why?.(scene) ?? "";
  if (why) tell("info", why);
  return why !== "" || action.run(scene, at) !== false;
}
