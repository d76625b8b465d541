import type { Readable } from "node:stream";
import type { Pages } from "../manifest/pages.ts";
import type { RawPath } from "../units/rawpath.ts";

/** One version as a store keeps it, its name as it is stored: encrypted where crypt lies above. */
export interface StoredVersion {
  /** Below the prefix that the store was opened at; in rclone's standard encoding. */
  readonly name: RawPath;
  /** What the store sorts by where that is not the name: the name in the store's own encoding. */
  readonly order?: RawPath;
  /** What the store needs to find exactly this version; opaque. */
  readonly id: string;
  /** `marker`: a hide marker (B2) or delete marker (S3). From it on the file is deleted. */
  readonly kind: "file" | "marker";
  /** Bytes as stored; 0 for a marker. */
  readonly size: number;
  /** When it came into the store by the store's own clock: milliseconds since 1970. */
  readonly storedAt: number;
  /** Modification time of the file, milliseconds since 1970; undefined where a listing does not tell. */
  readonly modifiedAt: number | undefined;
  /** Whether the store can't tell `storedAt` better than to within the run that stored it. */
  readonly uncertain?: boolean;
  /** Of a version that a run was perhaps still writing when it was cut off: the size it was to get. */
  readonly meant?: number;
  /** Of a marker: the deletion may have been at any time since `storedAt`. */
  readonly doubtful?: boolean;
  /** When it was superseded or deleted, where the store knows that of the version itself. */
  readonly endedAt?: number;
  /** The provider's checksum of the bytes as stored, hexadecimal in lower case, where it tells one. */
  readonly hash?: { readonly kind: "sha1" | "md5"; readonly hex: string };
}

/** A large file of which some parts came and whose end never did. */
export interface UnfinishedUpload {
  readonly name: RawPath;
  readonly id: string;
  readonly startedAt: number;
  /** When the last part arrived; `startedAt` where there is none. */
  readonly lastPartAt: number;
  /** Bytes of the parts that are there. */
  readonly size: number;
}

/** What came of removing one version. */
export type Removal =
  | { readonly version: StoredVersion; readonly result: "removed" | "gone" }
  | { readonly version: StoredVersion; readonly result: "failed"; readonly error: Error };

/** Calls that were made, for budgets and reports: the provider bills by class. */
export interface Transactions {
  readonly [name: string]: number;
}

/**
 * A place that keeps old versions. Every method throws a Failure when the store refuses or can't be
 * reached: a listing that failed is never an empty one.
 */
export interface Store {
  readonly kind: "b2" | "s3" | "dir";
  /** For messages: what is listed, without secrets. */
  readonly place: string;
  /** The store's own clock, by its last answer; undefined where it has none. */
  now(): Promise<Date | undefined>;
  /**
   * Every version, sorted by `order` or else the name (by bytes), and of one name newest first. A
   * prefix ends in `/` or is empty, so that `foo/` never meets `foobar`.
   */
  versions(prefix: RawPath, signal?: AbortSignal): Pages<StoredVersion>;
  /** Where a file of this name stands in the order of versions(); by its name without the method. */
  orderOf?(name: RawPath): RawPath;
  /** The versions of exactly this name, newest first. */
  versionsOf(name: RawPath, signal?: AbortSignal): Promise<readonly StoredVersion[]>;
  /** The content as stored, from byte `start` on, at most `length` bytes. */
  open(
    version: StoredVersion,
    range?: { readonly start: number; readonly length?: number },
    signal?: AbortSignal,
  ): Promise<Readable>;
  /**
   * The modification time of a version whose listing does not tell it, milliseconds since 1970;
   * undefined where nobody set one. Without the method, listings tell all there is.
   */
  modifiedAt?(version: StoredVersion, signal?: AbortSignal): Promise<number | undefined>;
  /**
   * Removes exactly these versions for good; no two may have one name, since the order among them
   * is the store's. Removing a marker makes the version below it current again. What is gone
   * already is no failure. Throws only when going on makes no sense (credentials, caps, network).
   */
  remove(versions: readonly StoredVersion[], signal?: AbortSignal): Promise<readonly Removal[]>;
  /** Copies an older version on top, so that it is the current one; nothing is removed by it. */
  makeCurrent(version: StoredVersion, signal?: AbortSignal): Promise<void>;
  /** Adds a marker: the file is deleted from here on, and its versions stay. */
  hide(name: RawPath, signal?: AbortSignal): Promise<void>;
  /** Uploads that were begun below the prefix and not ended. */
  unfinished(prefix: RawPath, signal?: AbortSignal): Pages<UnfinishedUpload>;
  cancel(upload: UnfinishedUpload, signal?: AbortSignal): Promise<void>;
  readonly transactions: Transactions;
  close(): Promise<void>;
}
