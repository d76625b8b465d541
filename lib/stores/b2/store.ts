import type { Readable } from "node:stream";
import { failed } from "../../errors.ts";
import type { Pages } from "../../manifest/pages.ts";
import { textFromRaw, type RawPath } from "../../units/rawpath.ts";
import type { Http } from "../http.ts";
import type { Limiter } from "../limiter.ts";
import type { StoreNames } from "../names.ts";
import type { Removal, Store, StoredVersion, Transactions, UnfinishedUpload } from "../store.ts";
import type { B2Api } from "./api.ts";
import { copyOnTop } from "./copy.ts";
import { downloadVersion } from "./download.ts";
import { concernsOneFile, isGone } from "./faults.ts";
import { listVersions } from "./listing.ts";
import { listUnfinished } from "./unfinished.ts";

export interface B2StoreParts {
  readonly api: B2Api;
  readonly http: Http;
  readonly limiter: Limiter;
  readonly names: StoreNames;
  readonly bucketId: string;
  readonly place: string;
  readonly pageSize: number;
  readonly copyWholeUpTo: number | undefined;
  /** Whether content is encrypted with a key of the customer's (SSE-C), which we don't pass on. */
  readonly foreignKey: boolean;
}

/** What lies below one directory of a bucket. */
export class B2Store implements Store {
  readonly kind = "b2";
  readonly #parts: B2StoreParts;

  constructor(parts: B2StoreParts) {
    this.#parts = parts;
  }

  get place(): string {
    return this.#parts.place;
  }

  get transactions(): Transactions {
    return this.#parts.api.transactions;
  }

  now(): Promise<Date | undefined> {
    return Promise.resolve(this.#parts.http.serverDate);
  }

  close(): Promise<void> {
    return this.#parts.http.close();
  }

  versions(prefix: RawPath, signal?: AbortSignal): Pages<StoredVersion> {
    return listVersions({ ...this.#parts, prefix: this.#parts.names.prefix(prefix), signal });
  }

  orderOf(name: RawPath): RawPath {
    return this.#parts.names.order(name);
  }

  async versionsOf(name: RawPath, signal?: AbortSignal): Promise<readonly StoredVersion[]> {
    const pageSize = Math.min(this.#parts.pageSize, 1000);
    const prefix = this.#parts.names.key(name);
    const found: StoredVersion[] = [];
    // Of all names that begin with this one, it is the first itself.
    for await (const page of listVersions({ ...this.#parts, pageSize, prefix, signal })) {
      for (const version of page) {
        if (version.name !== name) return found;
        found.push(version);
      }
    }
    return found;
  }

  async open(
    version: StoredVersion,
    range?: { readonly start: number; readonly length?: number },
    signal?: AbortSignal,
  ): Promise<Readable> {
    const { api, names } = this.#parts;
    this.#contentOf(version);
    await api.demand(["readFiles"], signal);
    const { id: fileId } = names.address(version);
    const wanted = { size: version.size, start: range?.start ?? 0, length: range?.length };
    const subject = this.#subject("read", version.name);
    return downloadVersion(api, fileId, wanted, { signal, subject });
  }

  async remove(
    versions: readonly StoredVersion[],
    signal?: AbortSignal,
  ): Promise<readonly Removal[]> {
    if (new Set(versions.map((version) => version.name)).size < versions.length)
      throw new RangeError("expected versions of different names, found two of one");
    const { api, limiter } = this.#parts;
    if (versions.length > 0) await api.demand(["deleteFiles"], signal);
    return limiter.map(versions, (version, stop) => this.#removeOne(version, stop), signal);
  }

  async #removeOne(version: StoredVersion, signal: AbortSignal): Promise<Removal> {
    const { api, names } = this.#parts;
    const subject = this.#subject("remove a version of", version.name);
    const { key: fileName, id: fileId } = names.address(version);
    const file = { fileName, fileId };
    const { fault } = await api.ask("b2_delete_file_version", file, { signal, subject });
    if (fault === undefined) return { version, result: "removed" };
    if (fault.code === "file_not_present") return { version, result: "gone" };
    const error = api.failure(subject, fault);
    if (!concernsOneFile(fault)) throw error;
    return { version, result: "failed", error };
  }

  async makeCurrent(version: StoredVersion, signal?: AbortSignal): Promise<void> {
    const { api, bucketId, names, copyWholeUpTo: wholeUpTo } = this.#parts;
    this.#contentOf(version);
    await api.demand(["readFiles", "writeFiles"], signal);
    const { key: fileName, id: fileId } = names.address(version);
    await copyOnTop(
      { api, bucketId, fileName, fileId, size: version.size, wholeUpTo },
      { signal, subject: this.#subject("copy a version of", version.name) },
    );
  }

  async hide(name: RawPath, signal?: AbortSignal): Promise<void> {
    const { api, bucketId, names } = this.#parts;
    await api.demand(["writeFiles"], signal);
    const subject = this.#subject("hide", name);
    const fileName = names.own(name);
    const { fault } = await api.ask("b2_hide_file", { bucketId, fileName }, { signal, subject });
    // What was to be done is done already: perhaps by an attempt whose answer was lost.
    if (fault !== undefined && fault.code !== "already_hidden") throw api.failure(subject, fault);
  }

  unfinished(prefix: RawPath, signal?: AbortSignal): Pages<UnfinishedUpload> {
    const { names, place } = this.#parts;
    return listUnfinished({
      ...this.#parts,
      prefix: names.prefix(prefix),
      call: { signal, subject: `${place}: to list unfinished uploads` },
    });
  }

  async cancel(upload: UnfinishedUpload, signal?: AbortSignal): Promise<void> {
    const { api, names } = this.#parts;
    await api.demand(["writeFiles"], signal);
    const subject = this.#subject("cancel the upload of", upload.name);
    const { id: fileId } = names.address(upload);
    const { fault } = await api.ask("b2_cancel_large_file", { fileId }, { signal, subject });
    if (fault !== undefined && !isGone(fault)) throw api.failure(subject, fault);
  }

  #contentOf(version: StoredVersion): void {
    if (version.kind === "marker")
      throw new RangeError("expected a version with content, found a marker");
    if (this.#parts.foreignKey)
      throw failed(`${this.place}: expected content that the service can read, found SSE-C`, {
        hint: "content under a key of your own is moved by rclone only",
      });
  }

  #subject(verb: string, name: RawPath): string {
    return `${this.place}: to ${verb} ${textFromRaw(name)}`;
  }
}
