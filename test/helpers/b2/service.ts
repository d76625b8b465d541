import type { Clock } from "./clock.ts";
import { checksum } from "./content.ts";
import type { Content } from "./content.ts";
import { B2Error } from "./errors.ts";
import { allCapabilities, makeTokens } from "./keys.ts";
import type { Key, Tokens } from "./keys.ts";
import { memorySource } from "./memory.ts";
import type { Source, Version } from "./version.ts";
import { makeFileId } from "./version.ts";

export interface Bucket {
  readonly id: string;
  readonly name: string;
  type: string;
  info: unknown;
  corsRules: unknown;
  lifecycleRules: unknown;
  revision: number;
  readonly source: Source;
}

/** Sizes that tests may want small, in bytes. */
export interface Sizes {
  readonly recommendedPartSize: number;
  readonly absoluteMinimumPartSize: number;
  /** What b2_copy_file copies at most. */
  readonly largestCopy: number;
  /** Entries of one answer, however many are asked for. */
  readonly pageLength: number;
}

/** What a new version is made of; its time is the clock's unless `at` says another. */
export interface NewVersion {
  readonly action: Version["action"];
  readonly content?: Content | undefined;
  readonly sha1?: string | null;
  readonly contentType?: string | null;
  readonly fileInfo?: Readonly<Record<string, string>>;
  readonly at?: number | undefined;
}

export const accountId = "0123456789ab";

/** The state of the service: keys, tokens, buckets, versions. */
export class Service {
  readonly clock: Clock;
  readonly sizes: Sizes;
  readonly tokens: Tokens;
  readonly keys = new Map<string, Key>();
  readonly buckets = new Map<string, Bucket>();
  readonly master: Key;
  /** Where it can be reached; known once it listens. */
  url = "";
  #count = 0;

  constructor(clock: Clock, sizes: Sizes) {
    this.clock = clock;
    this.sizes = sizes;
    this.tokens = makeTokens(() => clock.now());
    this.master = this.addKey({ capabilities: allCapabilities });
  }

  addKey(restrictions: {
    readonly capabilities: readonly string[];
    readonly bucketId?: string | undefined;
    readonly namePrefix?: string | undefined;
  }): Key {
    this.#count += 1;
    const { capabilities, bucketId, namePrefix } = restrictions;
    const number = String(this.#count).padStart(10, "0");
    const keyId = `005${accountId}${number}`;
    const key = { keyId, key: `K005key${number}secret`, capabilities, bucketId, namePrefix };
    this.keys.set(keyId, key);
    return key;
  }

  addBucket(name: string, make: (id: string) => Source = memorySource): Bucket {
    if (this.bucketNamed(name) !== undefined)
      throw new B2Error(400, "duplicate_bucket_name", `Bucket name is already in use: ${name}`);
    this.#count += 1;
    const id = this.#count.toString(16).padStart(24, "e");
    const settings = { type: "allPrivate", info: {}, corsRules: [], lifecycleRules: [] };
    const bucket: Bucket = { id, name, ...settings, revision: 1, source: make(id) };
    this.buckets.set(id, bucket);
    return bucket;
  }

  bucketNamed(name: string): Bucket | undefined {
    return [...this.buckets.values()].find((bucket) => bucket.name === name);
  }

  bucket(id: string): Bucket {
    const bucket = this.buckets.get(id);
    if (bucket === undefined)
      throw new B2Error(400, "bad_bucket_id", `Bucket does not exist: ${id}`);
    return bucket;
  }

  /** The bucket and version of an id. */
  find(fileId: string): { readonly bucket: Bucket; readonly version: Version } | undefined {
    for (const bucket of this.buckets.values()) {
      const version = bucket.source.find(fileId);
      if (version !== undefined && version.bucketId === bucket.id) return { bucket, version };
    }
    return undefined;
  }

  add(bucket: Bucket, fileName: string, made: NewVersion): Version {
    this.#count += 1;
    const { action, content, contentType = null, fileInfo = {} } = made;
    const timestamp = made.at ?? this.#time(bucket, fileName);
    const sha1 = made.sha1 === undefined && content !== undefined ? checksum(content) : made.sha1;
    const version: Version = {
      fileId: makeFileId(bucket.id, timestamp, this.#count),
      fileName,
      bucketId: bucket.id,
      action,
      timestamp,
      size: action === "upload" ? (content?.size ?? 0) : 0,
      content,
      sha1: sha1 ?? null,
      md5: null,
      contentType,
      fileInfo,
      parts: new Map(),
    };
    bucket.source.add(version);
    return version;
  }

  /** The versions of one name, newest first. */
  versionsOf(bucket: Bucket, name: string): readonly Version[] {
    return bucket.source.named(name);
  }

  // Of one name no two versions have one time, and a later one has a later time.
  #time(bucket: Bucket, name: string): number {
    const newest = this.versionsOf(bucket, name)[0];
    return Math.max(this.clock.now(), (newest?.timestamp ?? 0) + 1);
  }
}
