import { failed } from "../../errors.ts";
import type { Pages } from "../../manifest/pages.ts";
import type { StoreNames } from "../names.ts";
import type { StoredVersion } from "../store.ts";
import type { S3Api } from "./api.ts";
import { byKey, newestFirst, type Entry, type Page } from "./order.ts";
import { flag, optional, required, size, time, unexpected, type Element } from "./xml.ts";

const operation = "ListObjectVersions";

export interface ListingOptions {
  readonly api: S3Api;
  readonly names: StoreNames;
  /** The beginning of all keys wanted. */
  readonly prefix: string;
  readonly pageSize: number;
  /** Whether keys are asked for in a form that XML can hold. */
  readonly encodeKeys: boolean;
  /** Where it is, for messages. */
  readonly place: string;
  readonly signal?: AbortSignal | undefined;
}

/** Where a page begins. */
interface Start {
  readonly key: string;
  readonly id: string | undefined;
}

interface Fetched {
  readonly page: Page;
  readonly start: Start | undefined;
}

/**
 * All versions below a prefix, by the bytes of their keys, newest first. While a page is worked on,
 * the next one is fetched. Objects that stand for directories are left out. Throws a Failure when a
 * page is not what S3 documents, cut, or out of order: a listing is never short without a word.
 */
export async function* listVersions(options: ListingOptions): Pages<StoredVersion> {
  const stop = new AbortController();
  const signal =
    options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const groups = new Groups(options);
  let next: Promise<Fetched> | undefined = fetchPage(options, undefined, signal);
  try {
    while (next !== undefined) {
      const { page, start } = await next;
      next = undefined;
      if (start !== undefined) {
        next = fetchPage(options, start, signal);
        // Its failure is told when its turn comes, and is nobody's if the listing ends before.
        next.catch(() => {});
      }
      const complete = groups.add(page);
      if (complete.length > 0) yield complete;
    }
    const rest = groups.flush();
    if (rest.length > 0) yield rest;
  } finally {
    stop.abort();
  }
}

async function fetchPage(
  { api, names, prefix, pageSize, encodeKeys, place }: ListingOptions,
  start: Start | undefined,
  signal: AbortSignal,
): Promise<Fetched> {
  const root = await api.call(
    {
      billed: "list",
      method: "GET",
      query: {
        versions: "",
        ...(encodeKeys ? { "encoding-type": "url" } : {}),
        ...(start === undefined ? {} : { "key-marker": start.key }),
        ...(start?.id === undefined ? {} : { "version-id-marker": start.id }),
        "max-keys": String(pageSize),
        prefix,
      },
      answer: "ListVersionsResult",
    },
    { signal, subject: `${place}: to list versions` },
  );
  const spoken = decoder(root);
  const entries: Entry[] = [];
  for (const child of root.children) {
    if (child.name !== "Version" && child.name !== "DeleteMarker") continue;
    const key = spoken(required(operation, child, "Key"));
    if (!key.startsWith(prefix))
      throw failed(`${place}: expected keys that begin with ${prefix}, found ${key}`);
    // An object that stands for a directory.
    if (key.endsWith("/")) continue;
    const marker = child.name === "DeleteMarker";
    entries.push({
      key,
      bytes: names.bytes(key),
      id: required(operation, child, "VersionId"),
      kind: marker ? "marker" : "file",
      size: marker ? 0 : size(operation, child, "Size"),
      storedAt: time(operation, child, "LastModified"),
      latest: flag(operation, child, "IsLatest"),
    });
  }
  const page = byKey(entries);
  if (page === undefined) throw outOfOrder(place);
  if (!flag(operation, root, "IsTruncated")) return { page, start: undefined };
  const key = spoken(required(operation, root, "NextKeyMarker"));
  const id = optional(root, "NextVersionIdMarker") || undefined;
  if (key === start?.key && id === start.id) throw standstill(place);
  if (names.bytes(key) < names.bytes(start?.key ?? "")) throw standstill(place);
  return { page, start: { key, id } };
}

/** Reads keys as the answer says that they are written. */
export function decoder(root: Element): (text: string) => string {
  if (optional(root, "EncodingType")?.trim() !== "url") return (text) => text;
  return (text) => {
    try {
      return decodeURIComponent(text.replaceAll("+", " "));
    } catch {
      throw unexpected(operation, "a key in percent encoding", text);
    }
  };
}

/** Puts the versions of one key together, which may come on several pages. */
class Groups {
  readonly #options: ListingOptions;
  #group: Entry[] = [];
  readonly #ids = new Set<string>();
  #mixed = true;

  constructor(options: ListingOptions) {
    this.#options = options;
  }

  /** The versions of the keys that are complete with this page. */
  add({ entries, mixed }: Page): StoredVersion[] {
    const complete: StoredVersion[] = [];
    let fresh = true;
    for (const entry of entries) {
      const bytes = this.#group[0]?.bytes;
      if (bytes !== undefined && entry.bytes < bytes) throw outOfOrder(this.#options.place);
      if (entry.bytes !== bytes) {
        complete.push(...this.flush());
        fresh = true;
      }
      // A server may begin a page with what ended the one before.
      if (this.#ids.has(entry.id)) continue;
      if (fresh) this.#mixed &&= mixed;
      fresh = false;
      this.#ids.add(entry.id);
      this.#group.push(entry);
    }
    return complete;
  }

  flush(): StoredVersion[] {
    const { names } = this.#options;
    const group = newestFirst(this.#group, this.#mixed);
    this.#group = [];
    this.#ids.clear();
    this.#mixed = true;
    return group.map(({ key, bytes, id, kind, size: length, storedAt }) => ({
      ...names.named(key, bytes, id),
      kind,
      size: length,
      storedAt,
      modifiedAt: undefined,
    }));
  }
}

function outOfOrder(place: string): Error {
  return failed(`${place}: expected versions in order of their keys, found some out of order`, {
    hint: "nothing was concluded from this listing; try again",
  });
}

function standstill(place: string): Error {
  return failed(`${place}: expected each page of the listing to go on, found one that goes back`, {
    hint: "nothing was concluded from this listing; try again",
  });
}
