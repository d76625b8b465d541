import { once } from "node:events";
import type { Scope } from "../s3server.ts";
import { makeClock } from "./clock.ts";
import type { Clock } from "./clock.ts";
import { bytes, checksum, whole } from "./content.ts";
import type { Content } from "./content.ts";
import { makeFaults } from "./faults.ts";
import type { Faults } from "./faults.ts";
import type { GeneratedOptions } from "./generated.ts";
import { generatedSource } from "./generated.ts";
import type { B2Request } from "./log.ts";
import { billed } from "./log.ts";
import { serve } from "./serve.ts";
import { Service } from "./service.ts";
import type { Bucket, NewVersion, Sizes } from "./service.ts";
import type { Version } from "./version.ts";

export interface B2Options {
  /** The clock at first, milliseconds since 1970; 2026-01-01 unless given. */
  readonly now?: number;
  /** A bucket that is there from the start; "bucket" unless given. */
  readonly bucket?: string;
  /** Bytes; small for tests of large files (rclone wants chunks of 5 MiB at least). */
  readonly recommendedPartSize?: number;
  readonly absoluteMinimumPartSize?: number;
  /** Bytes that b2_copy_file copies at most; 5 GB unless given. */
  readonly largestCopy?: number;
  /** What a listing returns at most in one answer, however much is asked for. */
  readonly pageLength?: number;
  /** Buckets whose versions are computed as they are listed. */
  readonly generated?: readonly GeneratedOptions[];
}

export interface B2Key {
  readonly keyId: string;
  readonly key: string;
}

export interface KeyOptions {
  readonly capabilities: readonly string[];
  /** The name of the bucket that the key is restricted to. */
  readonly bucket?: string;
  readonly namePrefix?: string;
}

/** One version as the server holds it. */
export interface B2Version {
  readonly fileId: string;
  readonly fileName: string;
  readonly action: "upload" | "hide" | "start";
  readonly contentLength: number;
  readonly contentSha1: string | null;
  readonly contentType: string | null;
  readonly fileInfo: Readonly<Record<string, string>>;
  readonly uploadTimestamp: number;
}

export interface PutOptions {
  readonly bucket?: string;
  /** Milliseconds since 1970; the clock's time unless given. */
  readonly at?: number;
  readonly modifiedAt?: number;
  readonly fileInfo?: Readonly<Record<string, string>>;
  readonly contentType?: string;
}

/** A B2 service for tests, and a way past its API to prepare and to look at what it holds. */
export interface B2Server {
  /** http://127.0.0.1:PORT, what rclone calls `endpoint` and b2 `B2_ENVIRONMENT`. */
  readonly url: string;
  /** The master key: every capability. */
  readonly keyId: string;
  readonly key: string;
  /** The first bucket. */
  readonly bucket: string;
  readonly clock: Clock;
  readonly faults: Faults;
  /** Every call so far, faults included. */
  readonly requests: readonly B2Request[];
  /** What these calls cost, by class. */
  billed: () => Readonly<Record<"A" | "B" | "C", number>>;
  /** Adds a bucket; returns its id. */
  addBucket: (name: string) => string;
  bucketId: (name: string) => string;
  addKey: (options: KeyOptions) => B2Key;
  /** Every token so far is expired from now on. */
  expireTokens: () => void;
  /** Every version of a bucket in the order of b2_list_file_versions. */
  versions: (bucket?: string) => readonly B2Version[];
  /** The content of a version; throws where there is none. */
  content: (fileId: string) => Buffer;
  /** Stores a version directly. */
  put: (name: string, content: string | Buffer | Content, options?: PutOptions) => B2Version;
  /** Adds a hide marker directly. */
  hide: (name: string, options?: Pick<PutOptions, "bucket" | "at">) => B2Version;
  /** Begins a large file directly, with these parts already there. */
  startLarge: (
    name: string,
    parts?: readonly (string | Buffer | Content)[],
    options?: PutOptions,
  ) => B2Version;
  /** Removes a version directly, as another client would. */
  remove: (fileId: string) => void;
  /** The environment that makes `NAME:` a remote of rclone on this server. */
  rcloneEnv: (name: string, key?: B2Key) => Record<string, string>;
  close: () => Promise<void>;
}

const start = Date.UTC(2026, 0, 1);
const million = 1_000_000;

/** Starts a B2 service on a free port of 127.0.0.1; it is closed after the test. */
export async function startB2(t: Scope, options: B2Options = {}): Promise<B2Server> {
  const service = new Service(makeClock(options.now ?? start), sizesOf(options));
  const first = options.bucket ?? "bucket";
  service.addBucket(first);
  for (const generated of options.generated ?? [])
    service.addBucket(generated.bucket, (id) => generatedSource(id, generated));
  const faults = makeFaults();
  const requests: B2Request[] = [];
  const http = serve(service, faults, requests);
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const address = http.address();
  if (address === null || typeof address === "string") throw new Error("no port to listen on");
  service.url = `http://127.0.0.1:${address.port}`;
  const close = async (): Promise<void> => {
    if (!http.listening) return;
    const ended = once(http, "close");
    http.close();
    http.closeAllConnections();
    await ended;
  };
  t.after(close);
  const named = (name: string = first): Bucket => {
    const bucket = service.bucketNamed(name);
    if (bucket === undefined) throw new Error(`no bucket ${name}`);
    return bucket;
  };
  const found = (fileId: string): { readonly bucket: Bucket; readonly version: Version } => {
    const held = service.find(fileId);
    if (held === undefined) throw new Error(`no version ${fileId}`);
    return held;
  };
  const { keyId, key } = service.master;
  return {
    url: service.url,
    keyId,
    key,
    bucket: first,
    clock: service.clock,
    faults,
    requests,
    billed: () => billed(requests),
    addBucket: (name) => service.addBucket(name).id,
    bucketId: (name) => named(name).id,
    addKey: ({ capabilities, bucket, namePrefix }) => {
      const bucketId = bucket === undefined ? undefined : named(bucket).id;
      return service.addKey({ capabilities, bucketId, namePrefix });
    },
    expireTokens: () => service.tokens.expire(),
    versions: (bucket) => allOf(named(bucket)),
    content: (fileId) => {
      const { content } = found(fileId).version;
      if (content === undefined) throw new Error(`no content in ${fileId}`);
      return whole(content);
    },
    put: (name, content, put = {}) => {
      const made = { ...fields(put), action: "upload", content: contentOf(content) } as const;
      return shown(service.add(named(put.bucket), name, made));
    },
    hide: (name, { bucket, at } = {}) =>
      shown(service.add(named(bucket), name, { action: "hide", at })),
    startLarge: (name, parts = [], put = {}) => {
      const made = { ...fields(put), action: "start", sha1: "none" } as const;
      const version = service.add(named(put.bucket), name, made);
      for (const [index, part] of parts.entries()) {
        const content = contentOf(part);
        const { timestamp } = version;
        const sha1 = checksum(content);
        version.parts.set(index + 1, { number: index + 1, content, sha1, timestamp });
      }
      return shown(version);
    },
    remove: (fileId) => {
      const { bucket, version } = found(fileId);
      bucket.source.drop(version);
    },
    rcloneEnv: (name, own = { keyId, key }) => {
      const prefix = `RCLONE_CONFIG_${name.toUpperCase()}_`;
      return {
        [`${prefix}TYPE`]: "b2",
        [`${prefix}ACCOUNT`]: own.keyId,
        [`${prefix}KEY`]: own.key,
        [`${prefix}ENDPOINT`]: service.url,
      };
    },
    close,
  };
}

function sizesOf(options: B2Options): Sizes {
  return {
    recommendedPartSize: options.recommendedPartSize ?? 100 * million,
    absoluteMinimumPartSize: options.absoluteMinimumPartSize ?? 5 * million,
    largestCopy: options.largestCopy ?? 5000 * million,
    pageLength: options.pageLength ?? Infinity,
  };
}

function fields({ at, modifiedAt, fileInfo, contentType }: PutOptions): Omit<NewVersion, "action"> {
  const times = modifiedAt === undefined ? {} : { src_last_modified_millis: String(modifiedAt) };
  const type = contentType ?? "application/octet-stream";
  return { at, contentType: type, fileInfo: { ...times, ...fileInfo } };
}

function contentOf(content: string | Buffer | Content): Content {
  if (typeof content === "string") return bytes(Buffer.from(content));
  return Buffer.isBuffer(content) ? bytes(content) : content;
}

function allOf({ source }: Bucket): readonly B2Version[] {
  const all: B2Version[] = [];
  for (let index = 0; index < source.length; index += 1)
    all.push(...source.versionsAt(index).map(shown));
  return all;
}

function shown(version: Version): B2Version {
  const { fileId, fileName, action, size, sha1, contentType, fileInfo, timestamp } = version;
  const told = { fileId, fileName, action, contentType, fileInfo };
  return { ...told, contentLength: size, contentSha1: sha1, uploadTimestamp: timestamp };
}
