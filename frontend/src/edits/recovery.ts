/** Finds edits that an earlier window left behind, and decides whether they fit the server's draft. */
import { alreadyApplied, type Step, stepOf } from "./runs";
import type { Kept, KeptPatch, KeptStorage } from "./storage";

/** Whether the window that made a patch is gone; a living one still sends its own. */
export type IsGone = (tab: string) => Promise<boolean>;

/** Called before anything is drawn, so what this window itself kept comes from an earlier visit of it, too. */
export async function leftBehind<Item extends Kept>(storage: KeptStorage<Item>, caseId: string, ownTab: string, isGone: IsGone): Promise<Item[]> {
  const kept = await storage.ofCase(caseId).catch((): Item[] => []);
  const tabs = [...new Set(kept.map((patch) => patch.tab))].filter((tab) => tab !== ownTab);
  const gone = new Set<string>([ownTab]);
  for (const tab of tabs) if (await isGone(tab)) gone.add(tab);
  return inOrder(kept.filter((patch) => gone.has(patch.tab)));
}

/** A window's own go by their numbers, since its clock may be set back; those of several windows by their times. */
function inOrder<Item extends Kept>(kept: readonly Item[]): Item[] {
  const latest = new Map<string, number>();
  const timed = [...kept]
    .sort((a, b) => a.seq - b.seq)
    .map((item) => {
      const at = Math.max(item.keptAt, latest.get(item.tab) ?? Number.NEGATIVE_INFINITY);
      latest.set(item.tab, at);
      return { item, at };
    });
  return timed.sort((a, b) => a.at - b.at || a.item.seq - b.item.seq).map(({ item }) => item);
}

export interface Fit {
  /** Patches to apply and send again. */
  patches: Step[];
  /** Whether nobody changed the draft in between, so that no question needs asking. */
  clean: boolean;
}

/** What the server says now. */
export interface Revision {
  assignment: string;
  revision: number;
}

export type Unconfirmed = Pick<KeptPatch, "assignment" | "base" | "runs" | "link">;

/**
 * Compare unconfirmed patches with the draft as the server has it now.
 *
 * A first patch whose effect is already there was confirmed without us hearing it; it is dropped.
 */
export function fitPatches(draft: Uint8Array, now: Revision, patches: readonly Unconfirmed[]): Fit {
  const first = patches[0];
  if (!first) return { patches: [], clean: true };
  const same = patches.every((patch) => patch.assignment === now.assignment);
  const behind = now.revision - first.base;
  const heard = same && behind === 1 && alreadyApplied(draft, first.runs);
  const rest = heard ? patches.slice(1) : patches;
  // a prompt belongs to its assignment: in another one only its effect is left
  return { patches: rest.map((patch) => stepOf(patch.runs, same ? patch.link : undefined)), clean: heard || (same && behind === 0) };
}

/** A Web Lock held for as long as this window lives; others see by it whether we are gone. */
export function claimTab(tab: string): void {
  void globalThis.navigator?.locks?.request(`medloop-tab-${tab}`, () => new Promise<void>(() => undefined)).catch(() => undefined);
}

export const tabIsGone: IsGone = async (tab) => {
  const locks = globalThis.navigator?.locks;
  if (!locks) return true;
  return locks.request(`medloop-tab-${tab}`, { ifAvailable: true }, async (lock) => lock !== null);
};
