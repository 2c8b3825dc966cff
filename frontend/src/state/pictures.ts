/** Small pictures of cases: a few are fetched at a time, the last asked for first, and kept while they are likely to be looked at again. */
import { getBytes } from "../api/client";

const AT_ONCE = 3;
const KEPT = 400;

type Waiting = { key: string; path: string; take: (url: string | null) => void };

const kept = new Map<string, string>();
let waiting: Waiting[] = [];
let running = 0;

/** The address of a picture as soon as it is here, null when it cannot be had; the result calls off. `key` changes with what it shows. */
export function wantPicture(key: string, path: string, take: (url: string | null) => void): () => void {
  const known = kept.get(key);
  if (known !== undefined) take(known);
  else {
    const mine = { key, path, take };
    waiting.push(mine);
    next();
    return () => {
      waiting = waiting.filter((one) => one !== mine);
      mine.take = () => undefined;
    };
  }
  return () => undefined;
}

function next(): void {
  const one = running < AT_ONCE ? waiting.pop() : undefined;
  if (!one) return;
  running++;
  fetchPicture(one)
    .catch(() => one.take(null)) // a list without a picture is still a list
    .finally(() => {
      running--;
      next();
    });
}

async function fetchPicture(one: Waiting): Promise<void> {
  const known = kept.get(one.key);
  const url = known ?? URL.createObjectURL(await (await getBytes(one.path)).blob());
  kept.delete(one.key);
  kept.set(one.key, url); // the last looked at stands last
  one.take(url);
  for (const [key, old] of kept) {
    if (kept.size <= KEPT) break;
    URL.revokeObjectURL(old);
    kept.delete(key);
  }
}
