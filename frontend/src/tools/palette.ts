/** Actions to find by words: those of the view on the screen, and those of every view. */
import { signal } from "@preact/signals";
import { keysOf } from "../state/preferences";
import { writtenOut } from "./keynames";
import type { KeyAction } from "./keytable";

export interface Offer {
  id: string;
  group: string;
  words: string;
  key: string;
  /** Why it cannot be done now; "" when it can. */
  why: string;
  run: () => void;
}

interface Doing<Scene> {
  why: (action: KeyAction<Scene>, scene: Scene) => string;
  press: (action: KeyAction<Scene>, scene: Scene, at: number) => void;
}

/** What the view on the screen can do; null where it has no actions of its own. */
export const offersHere = signal<(() => Offer[]) | null>(null);

/** Every action there is in a scene; what digits do, one by one. */
export function offersOf<Scene>(actions: readonly KeyAction<Scene>[], scene: Scene, { why, press }: Doing<Scene>): Offer[] {
  return actions
    .filter((action) => action.run && action.on?.(scene) !== false)
    .flatMap((action) => {
      const offer = (words: string, key: string, at: number): Offer => ({
        id: at < 0 ? action.id : `${action.id}-${at + 1}`,
        group: action.group,
        words,
        key,
        why: why(action, scene),
        run: () => press(action, scene, at),
      });
      const key = writtenOut(keysOf(action)[0] ?? "");
      if (!action.each) return [offer(action.does, key, -1)];
      return action.each(scene).map((name, at) => offer(`${action.does}: ${name}`, key.replace("1 … 9", String(at + 1)), at));
    });
}

/** Offers that hold every word, those that begin with the first one at the top. */
export function found(offers: readonly Offer[], text: string): Offer[] {
  const words = text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const holding = offers.filter((offer) => words.every((word) => `${offer.words} ${offer.group} ${offer.key}`.toLocaleLowerCase().includes(word)));
  const begins = (offer: Offer): number => (words[0] && offer.words.toLocaleLowerCase().startsWith(words[0]) ? 0 : 1);
  return holding
    .map((offer, at) => ({ offer, at }))
    .sort((a, b) => begins(a.offer) - begins(b.offer) || a.at - b.at)
    .map(({ offer }) => offer);
}
