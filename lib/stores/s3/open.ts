import { usage } from "../../errors.ts";
import { parseBytes } from "../../units/bytes.ts";
import { rawFromBytes, textFromRaw, type RawPath } from "../../units/rawpath.ts";
import { defaultEncodings, nameEncoding } from "../encoding.ts";
import { openHttp } from "../httpclient.ts";
import { Limiter } from "../limiter.ts";
import { StoreNames } from "../names.ts";
import type { Store } from "../store.ts";
import type { StoreWorld } from "../world.ts";
import { S3Api } from "./api.ts";
import { findCredentials } from "./credentials.ts";
import { findEndpoint, isTrue } from "./endpoint.ts";
import { S3Store } from "./store.ts";
import { versioningOf } from "./versioning.ts";

export interface S3Options {
  /** The options of rclone's s3 remote, those of its environment merged in. */
  readonly options: ReadonlyMap<string, string>;
  /** Bucket and directory as stored. A bucket alone means all of it. */
  readonly path: RawPath;
  readonly world: StoreWorld;
  /** Requests under way at most. */
  readonly concurrency?: number;
  /** Versions in a page of a listing: 1,000 at most, which is the default. */
  readonly pageSize?: number;
  /** Milliseconds without a byte after which an attempt is given up. */
  readonly timeouts?: { readonly headersTimeout: number; readonly bodyTimeout: number };
  /** Told what the user should know though nothing failed. */
  readonly onNote?: (note: string) => void;
}

const mostAtOnce = 1000;

/**
 * Opens what lies in a bucket that keeps versions. Throws a usage failure when it keeps none, or the
 * remote's settings can't be used here, a Failure when the server can't be reached or refuses.
 */
export async function openS3(given: S3Options): Promise<Store> {
  const { options, path, world } = given;
  const [bucketPath = "", ...segments] = path.split("/").filter((segment) => segment !== "");
  const bucket = textFromRaw(rawFromBytes(bucketPath));
  if (bucket === "")
    throw usage("a place on s3: expected a bucket, found none", {
      hint: "write it as remote:BUCKET or remote:BUCKET/DIRECTORY",
    });
  if (isTrue(options.get("v2_auth")))
    throw usage("an s3 remote: expected signatures of version 4, found v2_auth", {
      hint: "leave v2_auth out: servers that know versions know version 4 too",
    });
  const { credentials, region } = await findCredentials(options, world);
  const endpoint = findEndpoint(options, region);
  const http = openHttp({ server: endpoint.server, world, ...given.timeouts });
  try {
    const limiter = new Limiter(given.concurrency ?? 10);
    const api = new S3Api({
      http,
      endpoint,
      bucket,
      credentials,
      now: world.now,
      headers: isTrue(options.get("requester_pays")) ? { "x-amz-request-payer": "requester" } : {},
      onBusy: () => limiter.busy(),
    });
    const versioning = await versioningOf(api, bucket);
    if (versioning === "suspended")
      given.onNote?.(`bucket ${bucket}: versioning is suspended: what is overwritten now is lost`);
    if (versioning === "unknown")
      given.onNote?.(`bucket ${bucket}: whether it keeps versions could not be asked for`);
    return new S3Store({
      api,
      http,
      limiter,
      world,
      names: new StoreNames(
        rawFromBytes(segments.join("/")),
        nameEncoding(options.get("encoding") || defaultEncodings.s3),
      ),
      bucket,
      place: [`s3:${bucket}`, ...segments.map((each) => textFromRaw(rawFromBytes(each)))].join("/"),
      pageSize: Math.min(given.pageSize ?? mostAtOnce, mostAtOnce),
      encodeKeys: options.get("list_url_encode")?.toLowerCase() !== "false",
      versioning,
      copyWholeUpTo: parseBytes(options.get("copy_cutoff") || "4.656G"),
      storing: storing(options),
      foreignKey: (options.get("sse_customer_algorithm") ?? "") !== "",
    });
  } catch (error) {
    await http.close();
    throw error;
  }
}

const stored: Readonly<Record<string, string>> = {
  acl: "x-amz-acl",
  storage_class: "x-amz-storage-class",
  server_side_encryption: "x-amz-server-side-encryption",
  sse_kms_key_id: "x-amz-server-side-encryption-aws-kms-key-id",
};

/** Headers with which rclone stores new objects, so that copies are stored in the same way. */
function storing(options: ReadonlyMap<string, string>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [option, header] of Object.entries(stored)) {
    const value = options.get(option);
    if (value) headers[header] = value;
  }
  return headers;
}
