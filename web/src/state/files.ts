// Files a person has chosen and not sent yet, kept in this browser until they are, so that a reload loses none.

import { signal, type Signal } from "@preact/signals";
import { FILES } from "./drafts.ts";

const STORE = "files";

/** Files that survive a reload under a name; where the browser keeps nothing, they last as long as the page. */
export function keptFiles(name: string): Signal<File[]> {
  const files = signal<File[]>([]);
  let isTouched = false;
  void load(name).then((found) => {
    if (!isTouched && found.length) files.value = found;
    files.subscribe((value) => {
      if (isTouched) void save(name, value);
      isTouched = true;
    });
  });
  return files;
}

async function load(name: string): Promise<File[]> {
  const found: unknown = await withStore("readonly", (store) => store.get(name));
  return Array.isArray(found) ? found.filter((file) => file instanceof File) : [];
}

function save(name: string, files: File[]): Promise<unknown> {
  return withStore("readwrite", (store) => (files.length ? store.put(files, name) : store.delete(name)));
}

/** The result of one act on the store; null where there is none to be had. */
function withStore(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest): Promise<unknown> {
  return new Promise((resolve) => {
    let opening: IDBOpenDBRequest;
    try {
      opening = indexedDB.open(FILES, 1);
    } catch {
      return resolve(null);
    }
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => resolve(null);
    opening.onsuccess = () => {
      const database = opening.result;
      try {
        const asked = act(database.transaction(STORE, mode).objectStore(STORE));
        asked.onsuccess = () => resolve(asked.result);
        asked.onerror = () => resolve(null);
        asked.transaction?.addEventListener("complete", () => database.close());
      } catch {
        database.close();
        resolve(null);
      }
    };
  });
}
