import type { Readable } from "node:stream";
import { failed, usage } from "../../errors.ts";
import type { Pages } from "../../manifest/pages.ts";
import { rawFromBytes, textFromRaw, type RawPath } from "../../units/rawpath.ts";
import type { Http } from "../http.ts";
import type { Limiter } from "../limiter.ts";
import type { StoreNames } from "../names.ts";
import type { Removal, Store, StoredVersion, Transactions, UnfinishedUpload } from "../store.ts";
import type { StoreWorld } from "../world.ts";
import type { S3Api } from "./api.ts";
import { copyOnTop } from "./copy.ts";
import { downloadVersion } from "./download.ts";
import { faultFailure } from "./faults.ts";
import { listVersions } from "./listing.ts";
import { removeVersions } from "./remove.ts";
import { listUnfinished } from "./unfinished.ts";
import type { Versioning } from "./versioning.ts";

export interface S3StoreParts {
  readonly api: S3Api;
  readonly http: Http;
  readonly limiter: Limiter;
  readonly names: StoreNames;
  readonly world: StoreWorld;
  readonly bucket: string;
  readonly place: string;
  readonly pageSize: number;
  readonly encodeKeys: boolean;
  readonly versioning: Versioning;
  readonly copyWholeUpTo: number;
  /** How rclone would store a new object: its class, encryption and access. */
  readonly storing: Readonly<Record<string, string>>;
  /** Whether content is encrypted with a key of the customer's (SSE-C), which we don't pass on. */
  readonly foreignKey: boolean;
}

/** What lies below one directory of a bucket with versions. */
export class S3Store implements Store {
  readonly kind = "s3";
  readonly #parts: S3StoreParts;

  constructor(parts: S3StoreParts) {
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
    return this.#versionsAt(this.#parts.names.key(name), signal);
  }

  async #versionsAt(prefix: string, signal: AbortSignal | undefined): Promise<StoredVersion[]> {
    const pageSize = Math.min(this.#parts.pageSize, 100);
    const found: StoredVersion[] = [];
    // Of all keys that begin with this one, it is the first itself.
    for await (const page of listVersions({ ...this.#parts, pageSize, prefix, signal })) {
      for (const version of page) {
        if (this.#parts.names.address(version).key !== prefix) return found;
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
    const wanted = { size: version.size, start: range?.start ?? 0, length: range?.length };
    const subject = this.#subject("read", version.name);
    return downloadVersion(api, names.address(version), wanted, { signal, subject });
  }

  /** rclone keeps it with the object, in seconds. */
  async modifiedAt(version: StoredVersion, signal?: AbortSignal): Promise<number | undefined> {
    const { api, names } = this.#parts;
    const { key, id } = names.address(version);
    const subject = this.#subject("look at", version.name);
    const asked = await api.ask(
      { billed: "get", method: "HEAD", key, query: { versionId: id } },
      { signal, subject },
    );
    if (asked.fault !== undefined) throw faultFailure(subject, asked.fault);
    const seconds = asked.answer.headers["x-amz-meta-mtime"];
    if (seconds === undefined || !/^-?\d+(\.\d+)?$/.test(seconds)) return undefined;
    // Finer than a millisecond, as far as a number is.
    return Number(seconds) * 1000;
  }

  async remove(
    versions: readonly StoredVersion[],
    signal?: AbortSignal,
  ): Promise<readonly Removal[]> {
    const keyOf = (version: StoredVersion): string => this.#parts.names.address(version).key;
    const keys = versions.map(keyOf);
    if (new Set(keys).size < versions.length)
      throw new RangeError("expected versions of different names, found two of one");
    const has = async (version: StoredVersion, stop: AbortSignal): Promise<boolean> =>
      (await this.#versionsAt(keyOf(version), stop)).some(({ id }) => id === version.id);
    return removeVersions({ ...this.#parts, has }, versions, signal);
  }

  async makeCurrent(version: StoredVersion, signal?: AbortSignal): Promise<void> {
    const { api, bucket, names, copyWholeUpTo: wholeUpTo, storing } = this.#parts;
    this.#contentOf(version);
    this.#keeping();
    const { size } = version;
    const address = names.address(version);
    const newest = async (): Promise<StoredVersion | undefined> =>
      (await this.#versionsAt(address.key, signal))[0];
    await copyOnTop(
      { api, bucket, ...address, size, wholeUpTo, storing, newest },
      { signal, subject: this.#subject("copy a version of", version.name) },
    );
  }

  async hide(name: RawPath, signal?: AbortSignal): Promise<void> {
    const { api, names } = this.#parts;
    this.#keeping();
    const subject = this.#subject("hide", name);
    const { fault } = await api.ask(
      { billed: "delete", method: "DELETE", key: names.own(name) },
      { signal, subject },
    );
    if (fault !== undefined) throw faultFailure(subject, fault);
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
    const subject = this.#subject("cancel the upload of", upload.name);
    const { key, id: uploadId } = names.address(upload);
    const { fault } = await api.ask(
      { billed: "delete", method: "DELETE", key, query: { uploadId } },
      { signal, subject },
    );
    if (fault !== undefined && fault.code !== "NoSuchUpload") throw faultFailure(subject, fault);
  }

  /** Throws where a new version would take the place of an old one, which would be gone. */
  #keeping(): void {
    const { versioning, bucket } = this.#parts;
    if (versioning === "enabled") return;
    throw usage(`bucket ${bucket}: expected versioning to be enabled, found it ${versioning}`, {
      hint:
        versioning === "suspended"
          ? "switch it on: rclone backend versioning REMOTE:BUCKET Enabled"
          : "let the key read the bucket's versioning (s3:GetBucketVersioning)",
    });
  }

  #contentOf(version: StoredVersion): void {
    if (version.kind === "marker")
      throw new RangeError("expected a version with content, found a marker");
    if (this.#parts.foreignKey)
      throw failed(`${this.place}: expected content that the server can read, found SSE-C`, {
        hint: "content under a key of your own is moved by rclone only",
      });
  }

  #subject(verb: string, name: RawPath): string {
    return `${this.place}: to ${verb} ${textFromRaw(rawFromBytes(name))}`;
  }
}
