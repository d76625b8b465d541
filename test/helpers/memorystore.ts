import { Readable } from "node:stream";
import type { Names } from "../../lib/crypt/names.ts";
import { failed } from "../../lib/errors.ts";
import type { Pages } from "../../lib/manifest/pages.ts";
import type { Removal, Store, StoredVersion, UnfinishedUpload } from "../../lib/stores/store.ts";
import type { RawPath } from "../../lib/units/rawpath.ts";
import { rawFromText } from "../../lib/units/rawpath.ts";

/** What goes wrong, asked before each deed; an error that is returned is thrown or reported. */
export interface MemoryFaults {
  /** A page of a listing, counted from 0: the listing breaks off there. */
  list?: (page: number) => Error | undefined;
  /** One version can't be removed; the others of the call are. */
  remove?: (version: StoredVersion) => Error | undefined;
  /** The whole call ends here, as for credentials; asked before each version of it. */
  removeCall?: (removed: number) => Error | undefined;
  open?: (version: StoredVersion) => Error | undefined;
  makeCurrent?: (version: StoredVersion) => Error | undefined;
  hide?: (name: RawPath) => Error | undefined;
}

export interface MemoryOptions {
  readonly kind?: Store["kind"];
  /** The store's clock at first, milliseconds since 1970. */
  readonly now?: number;
  readonly pageLength?: number;
  /** What the store says of the time of a marker; the truth unless given. */
  readonly markerTime?: (now: number, covered: StoredVersion | undefined) => number;
  readonly faults?: MemoryFaults;
}

interface Held {
  readonly version: StoredVersion;
  readonly content: Buffer;
}

/** A store in memory with the semantics of the real ones, a clock that tests move, and faults. */
export class MemoryStore implements Store {
  readonly kind: Store["kind"];
  readonly place = "memory:";
  /** Milliseconds since 1970; move it as you like. */
  clock: number;
  faults: MemoryFaults;
  /** Every call of remove(), in order. */
  readonly removals: (readonly StoredVersion[])[] = [];
  readonly uploads: UnfinishedUpload[] = [];
  readonly transactions: Record<string, number> = {};
  readonly #held = new Map<RawPath, Held[]>();
  readonly #options: MemoryOptions;
  #ids = 0;
  #removed = 0;

  constructor(options: MemoryOptions = {}) {
    this.#options = options;
    this.kind = options.kind ?? "b2";
    this.clock = options.now ?? Date.UTC(2026, 0, 1);
    this.faults = options.faults ?? {};
  }

  /** Stores a file now; `name` is as stored. */
  put(name: string, content: string | Buffer = "", modifiedAt = this.clock): StoredVersion {
    const bytes = Buffer.from(content);
    const fields = { kind: "file", size: bytes.length, modifiedAt } as const;
    return this.#add(rawFromText(name), { ...fields, storedAt: this.clock }, bytes);
  }

  /** Adds any version on top, its time a lie if need be. */
  add(name: RawPath, version: Omit<StoredVersion, "name" | "id">): StoredVersion {
    return this.#add(name, version, Buffer.alloc(version.size));
  }

  /** What a listing without history shows: the names whose newest version is a file. */
  visible(): RawPath[] {
    return this.#names().filter((name) => this.#held.get(name)?.[0]?.version.kind === "file");
  }

  /** Every version, as versions() would list them. */
  all(): StoredVersion[] {
    return this.#names().flatMap((name) => this.#list(name));
  }

  /** An independent copy, as it is now; faults and recorded calls are not taken over. */
  clone(): MemoryStore {
    const copy = new MemoryStore({ ...this.#options, now: this.clock, faults: {} });
    for (const [name, held] of this.#held) copy.#held.set(name, [...held]);
    copy.#ids = this.#ids;
    copy.uploads.push(...this.uploads);
    return copy;
  }

  async now(): Promise<Date> {
    return new Date(this.clock);
  }

  async *versions(prefix: RawPath, signal?: AbortSignal): Pages<StoredVersion> {
    if (prefix !== "" && !prefix.endsWith("/"))
      throw new RangeError(`expected a prefix that ends in /, found ${prefix}`);
    const { pageLength = 1000 } = this.#options;
    let page: StoredVersion[] = [];
    let pages = 0;
    const turn = (): readonly StoredVersion[] => {
      signal?.throwIfAborted();
      this.#count("list");
      const error = this.faults.list?.(pages);
      if (error !== undefined) throw error;
      pages += 1;
      const full = page;
      page = [];
      return full;
    };
    for (const name of this.#names()) {
      if (!name.startsWith(prefix)) continue;
      for (const version of this.#list(name)) {
        page.push(version);
        if (page.length >= pageLength) yield turn();
      }
    }
    yield turn();
  }

  async versionsOf(name: RawPath): Promise<readonly StoredVersion[]> {
    this.#count("list");
    return this.#list(name);
  }

  async open(
    version: StoredVersion,
    range?: { readonly start: number; readonly length?: number },
  ): Promise<Readable> {
    this.#count("open");
    const error = this.faults.open?.(version);
    if (error !== undefined) throw error;
    const { content } = this.#find(version);
    const start = range?.start ?? 0;
    const end = range?.length === undefined ? content.length : start + range.length;
    return Readable.from([content.subarray(start, end)]);
  }

  async remove(
    versions: readonly StoredVersion[],
    signal?: AbortSignal,
  ): Promise<readonly Removal[]> {
    if (new Set(versions.map(({ name }) => name)).size !== versions.length)
      throw new RangeError("expected no two versions of one name in a call");
    signal?.throwIfAborted();
    this.removals.push(versions);
    const results: Removal[] = [];
    for (const version of versions) {
      const end = this.faults.removeCall?.(this.#removed);
      if (end !== undefined) throw end;
      const error = this.faults.remove?.(version);
      if (error !== undefined) {
        results.push({ version, result: "failed", error });
        continue;
      }
      this.#count("remove");
      this.#removed += 1;
      results.push({ version, result: this.#drop(version) ? "removed" : "gone" });
    }
    return results;
  }

  async makeCurrent(version: StoredVersion): Promise<void> {
    this.#count("copy");
    const error = this.faults.makeCurrent?.(version);
    if (error !== undefined) throw error;
    const { content } = this.#find(version);
    const { name, size, modifiedAt } = version;
    this.#add(name, { kind: "file", size, modifiedAt, storedAt: this.clock }, content);
  }

  async hide(name: RawPath): Promise<void> {
    this.#count("hide");
    const error = this.faults.hide?.(name);
    if (error !== undefined) throw error;
    const covered = this.#held.get(name)?.[0]?.version;
    const storedAt = this.#options.markerTime?.(this.clock, covered) ?? this.clock;
    const fields = { kind: "marker", size: 0, modifiedAt: undefined, storedAt } as const;
    this.#add(name, fields, Buffer.alloc(0));
  }

  async *unfinished(prefix: RawPath): Pages<UnfinishedUpload> {
    this.#count("list");
    yield this.uploads.filter(({ name }) => name.startsWith(prefix));
  }

  async cancel(upload: UnfinishedUpload): Promise<void> {
    this.#count("cancel");
    const at = this.uploads.findIndex(({ id }) => id === upload.id);
    if (at >= 0) this.uploads.splice(at, 1);
  }

  async close(): Promise<void> {}

  #add(name: RawPath, rest: Omit<StoredVersion, "name" | "id">, content: Buffer): StoredVersion {
    this.#ids += 1;
    const version: StoredVersion = { name, id: `id-${this.#ids}`, ...rest };
    this.#held.set(name, [{ version, content }, ...(this.#held.get(name) ?? [])]);
    return version;
  }

  #names(): RawPath[] {
    return [...this.#held.keys()].toSorted();
  }

  #list(name: RawPath): StoredVersion[] {
    return (this.#held.get(name) ?? []).map(({ version }) => version);
  }

  #find({ name, id }: StoredVersion): Held {
    const held = this.#held.get(name)?.find(({ version }) => version.id === id);
    if (held === undefined || held.version.kind === "marker")
      throw failed(`${name}: expected version ${id} in the store, found none`);
    return held;
  }

  #drop({ name, id }: StoredVersion): boolean {
    const held = this.#held.get(name) ?? [];
    const rest = held.filter(({ version }) => version.id !== id);
    if (rest.length === 0) this.#held.delete(name);
    else this.#held.set(name, rest);
    return rest.length < held.length;
  }

  #count(name: string): void {
    this.transactions[name] = (this.transactions[name] ?? 0) + 1;
  }
}

/** Names as they are, for a store without encryption. */
export const plainNames: Names = {
  decode: (stored) => stored,
  encode: (plain) => plain,
  plainSize: (size) => size,
};
