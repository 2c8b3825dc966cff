/** Work that the server has not confirmed yet, kept in this browser (IndexedDB) across crashes and reloads. */
import type { Link, MeasurementBody, MeasurementChange, Run } from "../api/types";

export interface Kept {
  assignment: string;
  /** Which window made it; windows number what they keep independently. */
  tab: string;
  seq: number;
  /** Who made it; patches of earlier versions do not say. */
  person?: string;
  project: string;
  caseId: string;
  keptAt: number;
}

export interface KeptPatch extends Kept {
  /** The draft revision it was drawn on. */
  base: number;
  runs: Run[];
  /** Prompts that go with it. */
  link?: Link;
}

/** A measurement that is taken, or what changes of one. */
export interface KeptMeasuring extends Kept {
  measurement: string;
  take?: MeasurementBody;
  change?: MeasurementChange;
}

export interface KeptStorage<Item extends Kept> {
  /** Whether what is put outlives the page. */
  readonly lasting: boolean;
  put(item: Item): Promise<void>;
  remove(item: Item): Promise<void>;
  ofCase(caseId: string): Promise<Item[]>;
  all(): Promise<Item[]>;
}

export type PatchStorage = KeptStorage<KeptPatch>;

const STORE = "patches";
const keyOf = ({ assignment, tab, seq }: Kept): [string, string, number] => [assignment, tab, seq];

/** Each kind of work has a database of its own, so that pages of an earlier version, which know less, read what they know. */
export function openStorage<Item extends Kept = KeptPatch>(factory: IDBFactory | undefined, name = "medloop"): KeptStorage<Item> {
  return factory ? new BrowserStorage<Item>(factory, name) : new MemoryStorage<Item>();
}

class BrowserStorage<Item extends Kept> implements KeptStorage<Item> {
  readonly lasting = true;
  private readonly database: Promise<IDBDatabase>;

  constructor(factory: IDBFactory, name: string) {
    this.database = new Promise((resolve, reject) => {
      const opening = factory.open(name, 1);
      opening.onupgradeneeded = () => {
        const store = opening.result.createObjectStore(STORE, { keyPath: ["assignment", "tab", "seq"] });
        store.createIndex("caseId", "caseId");
      };
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
    this.database.catch(() => undefined);
  }

  async put(item: Item): Promise<void> {
    await this.run("readwrite", (store) => store.put(item));
  }

  async remove(item: Item): Promise<void> {
    await this.run("readwrite", (store) => store.delete(keyOf(item)));
  }

  ofCase(caseId: string): Promise<Item[]> {
    return this.run("readonly", (store) => store.index("caseId").getAll(caseId) as IDBRequest<Item[]>);
  }

  all(): Promise<Item[]> {
    return this.run("readonly", (store) => store.getAll() as IDBRequest<Item[]>);
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
export class MemoryStorage<Item extends Kept = KeptPatch> implements KeptStorage<Item> {
  readonly lasting = false;
  private readonly items = new Map<string, Item>();

  async put(item: Item): Promise<void> {
    this.items.set(keyOf(item).join(), item);
  }

  async remove(item: Item): Promise<void> {
    this.items.delete(keyOf(item).join());
  }

  async ofCase(caseId: string): Promise<Item[]> {
    return [...this.items.values()].filter((item) => item.caseId === caseId);
  }

  async all(): Promise<Item[]> {
    return [...this.items.values()];
  }
}
