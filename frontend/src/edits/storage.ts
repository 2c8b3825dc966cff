/** Edits that the server has not confirmed yet, kept in this browser (IndexedDB) across crashes and reloads. */
import type { Link, Run } from "../api/types";

export interface KeptPatch {
  assignment: string;
  /** Which window made it; windows number their patches independently. */
  tab: string;
  seq: number;
  /** Who drew it; patches of earlier versions do not say. */
  person?: string;
  project: string;
  caseId: string;
  /** The draft revision it was drawn on. */
  base: number;
  runs: Run[];
  /** Prompts that go with it. */
  link?: Link;
  keptAt: number;
}

export interface PatchStorage {
  put(patch: KeptPatch): Promise<void>;
  remove(patch: KeptPatch): Promise<void>;
  ofCase(caseId: string): Promise<KeptPatch[]>;
  all(): Promise<KeptPatch[]>;
}

const STORE = "patches";
const keyOf = (patch: KeptPatch): [string, string, number] => [patch.assignment, patch.tab, patch.seq];

export function openStorage(factory: IDBFactory | undefined): PatchStorage {
  return factory ? new BrowserStorage(factory) : new MemoryStorage();
}

class BrowserStorage implements PatchStorage {
  private readonly database: Promise<IDBDatabase>;

  constructor(factory: IDBFactory) {
    this.database = new Promise((resolve, reject) => {
      const opening = factory.open("medloop", 1);
      opening.onupgradeneeded = () => {
        const store = opening.result.createObjectStore(STORE, { keyPath: ["assignment", "tab", "seq"] });
        store.createIndex("caseId", "caseId");
      };
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
    this.database.catch(() => undefined);
  }

  async put(patch: KeptPatch): Promise<void> {
    await this.run("readwrite", (store) => store.put(patch));
  }

  async remove(patch: KeptPatch): Promise<void> {
    await this.run("readwrite", (store) => store.delete(keyOf(patch)));
  }

  ofCase(caseId: string): Promise<KeptPatch[]> {
    return this.run("readonly", (store) => store.index("caseId").getAll(caseId) as IDBRequest<KeptPatch[]>);
  }

  all(): Promise<KeptPatch[]> {
    return this.run("readonly", (store) => store.getAll() as IDBRequest<KeptPatch[]>);
  }

  private async run<T>(mode: IDBTransactionMode, make: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const transaction = (await this.database).transaction(STORE, mode);
    const request = make(transaction.objectStore(STORE));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  }
}

/** For browsers that refuse storage (private windows): edits live as long as the page. */
export class MemoryStorage implements PatchStorage {
  private readonly patches = new Map<string, KeptPatch>();

  async put(patch: KeptPatch): Promise<void> {
    this.patches.set(keyOf(patch).join(), patch);
  }

  async remove(patch: KeptPatch): Promise<void> {
    this.patches.delete(keyOf(patch).join());
  }

  async ofCase(caseId: string): Promise<KeptPatch[]> {
    return [...this.patches.values()].filter((patch) => patch.caseId === caseId);
  }

  async all(): Promise<KeptPatch[]> {
    return [...this.patches.values()];
  }
}
