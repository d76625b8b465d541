import { usage } from "../../errors.ts";
import { rawFromBytes, textFromRaw, type RawPath } from "../../units/rawpath.ts";
import { defaultEncodings, nameEncoding } from "../encoding.ts";
import { openHttp } from "../httpclient.ts";
import { Limiter } from "../limiter.ts";
import { StoreNames } from "../names.ts";
import type { Store } from "../store.ts";
import type { StoreWorld } from "../world.ts";
import { list, text } from "./answers.ts";
import { B2Api } from "./api.ts";
import type { Authorization, Capability } from "./authorization.ts";
import { B2Store } from "./store.ts";

export interface B2Options {
  /** The options of rclone's b2 remote, those of its environment merged in. */
  readonly options: ReadonlyMap<string, string>;
  /** Bucket and directory as stored. A bucket alone means all of it. */
  readonly path: RawPath;
  readonly world: StoreWorld;
  /** What will be done beyond listing, so that a key that may not is told before anything is done. */
  readonly needs?: readonly Capability[];
  /** Requests under way at most. */
  readonly concurrency?: number;
  /** Versions in a page of a listing: 10,000 at most. */
  readonly pageSize?: number;
  /** Milliseconds without a byte after which an attempt is given up. */
  readonly timeouts?: { readonly headersTimeout: number; readonly bodyTimeout: number };
  /** Bytes above which a file is copied in parts; 5 GB, the service's limit, by default. */
  readonly copyWholeUpTo?: number;
}

const service = "https://api.backblazeb2.com";
const mostAtOnce = 10_000;
/**
 * Billed like larger pages, and read in much less memory: they live short enough. Larger ones would
 * be fewer round trips, each of which waits for the one before.
 */
const usualPage = 1000;

/**
 * Opens what lies in a bucket of Backblaze B2, by the native API. Throws a usage failure when the
 * key is refused, lacks a capability or may not see the place, a Failure when the bucket isn't there.
 */
export async function openB2(given: B2Options): Promise<Store> {
  const { options, path, world } = given;
  const [bucketPath = "", ...segments] = path.split("/").filter((segment) => segment !== "");
  const bucket = textFromRaw(rawFromBytes(bucketPath));
  if (bucket === "")
    throw usage("a place on b2: expected a bucket, found none", {
      hint: "write it as remote:BUCKET or remote:BUCKET/DIRECTORY",
    });
  const keyId = required(options, "account");
  const endpoint = address(options.get("endpoint") || service);
  const http = openHttp({ server: endpoint, world, ...given.timeouts });
  try {
    const limiter = new Limiter(given.concurrency ?? 10);
    const onBusy = (): void => limiter.busy();
    const api = new B2Api({ http, endpoint, keyId, key: required(options, "key"), onBusy });
    const names = namesBelow(rawFromBytes(segments.join("/")), options.get("encoding") ?? "");
    const authorization = await api.authorization();
    await api.demand(["listFiles", ...(given.needs ?? [])]);
    within(authorization, keyId, names.prefix(rawFromBytes("")));
    const bucketId = await findBucket(api, authorization, bucket);
    return new B2Store({
      api,
      http,
      limiter,
      names,
      bucketId,
      place: [`b2:${bucket}`, ...segments.map((each) => textFromRaw(rawFromBytes(each)))].join("/"),
      pageSize: Math.min(given.pageSize ?? usualPage, mostAtOnce),
      copyWholeUpTo: given.copyWholeUpTo,
      foreignKey: (options.get("sse_customer_algorithm") ?? "") !== "",
    });
  } catch (error) {
    await http.close();
    throw error;
  }
}

/** Names that the default encoding leaves alone: ASCII without the backslash and controls. */
const plainByDefault = /^[ -[\]-~]*$/;

/** `option` is the remote's own encoding, if it has one. */
function namesBelow(directory: RawPath, option: string): StoreNames {
  const isOwn = option !== "" && option !== defaultEncodings.b2;
  return isOwn
    ? new StoreNames(directory, nameEncoding(option))
    : new StoreNames(directory, nameEncoding(defaultEncodings.b2), plainByDefault);
}

function required(options: ReadonlyMap<string, string>, name: string): string {
  const value = options.get(name) ?? "";
  if (value === "")
    throw usage(`a b2 remote: expected the option ${name}, found none`, {
      hint: "set it with rclone config, or in the environment that rclone reads",
    });
  return value;
}

function address(endpoint: string): string {
  if (!/^https?:\/\/[^/]/.test(endpoint) || !URL.canParse(endpoint))
    throw usage("a b2 remote: expected a URL as endpoint, found something else", {
      hint: `write it as ${service}, or leave it out`,
    });
  return endpoint.replace(/\/+$/, "");
}

/** Throws when a key that is restricted to some names can't see all of the place. */
function within({ namePrefix }: Authorization, keyId: string, prefix: string): void {
  if (prefix.startsWith(namePrefix)) return;
  throw usage(
    `application key ${keyId}: expected one that may use ${prefix === "" ? "the whole bucket" : prefix}, found one restricted to names that begin with ${namePrefix}`,
    { hint: "use a key for this directory, or back up to a directory that the key may use" },
  );
}

async function findBucket(
  api: B2Api,
  { accountId, buckets, capabilities }: Authorization,
  name: string,
): Promise<string> {
  const named = buckets?.find((bucket) => bucket.name === name);
  if (named !== undefined) return named.id;
  if (buckets !== undefined && buckets.every((bucket) => bucket.name !== undefined))
    throw usage(
      `application key ${api.keyId}: expected one for the bucket ${name}, found one restricted to ${buckets.map((bucket) => bucket.name).join(", ")}`,
      { hint: "use a key for this bucket" },
    );
  if (!capabilities.has("listBuckets") && !capabilities.has("listAllBucketNames"))
    throw usage(
      `application key ${api.keyId}: expected the capability listBuckets (finding the bucket ${name}), found a key without it`,
      { hint: "use a key that has listBuckets, or one restricted to this bucket" },
    );
  const operation = "b2_list_buckets";
  const answer = await api.call(
    operation,
    { accountId, bucketName: name },
    { subject: `to find the bucket ${name}` },
  );
  for (const bucket of list(operation, answer, "buckets"))
    if (bucket["bucketName"] === name) return text(operation, bucket, "bucketId");
  throw usage(`b2: expected a bucket named ${name}, found none that this key can see`, {
    hint: "check the name, and which account the key belongs to",
  });
}
