import type { Readable } from "node:stream";
import { download, type WantedBytes } from "../download.ts";
import type { HttpHeaders } from "../http.ts";
import type { CallOptions, S3Api } from "./api.ts";
import { faultFailure, readFault } from "./faults.ts";

/** The content of a version, as download() gives it. */
export function downloadVersion(
  api: S3Api,
  { key, id }: { readonly key: string; readonly id: string },
  wanted: WantedBytes,
  options: CallOptions,
): Promise<Readable> {
  const { subject } = options;
  return download(wanted, {
    // The very version is asked for, so that what goes on after a break is the same.
    open: (range) => api.download(key, { versionId: id }, range, options),
    refusal: async (answer) => faultFailure(subject, await readFault(answer)),
    ...{ checksum, kind: "md5", subject },
  });
}

/** The MD5 of the content: what rclone keeps of objects in parts, or the tag of one in one piece. */
function checksum(headers: HttpHeaders): string | undefined {
  const own = headers["x-amz-meta-md5chksum"];
  if (own !== undefined && /^[A-Za-z0-9+/]{22}==$/.test(own))
    return Buffer.from(own, "base64").toString("hex");
  // Where the server encrypts with a key of its own kind, the tag is of something else.
  const encryption = headers["x-amz-server-side-encryption"];
  if (encryption !== undefined && encryption !== "AES256") return undefined;
  return /^"([0-9a-f]{32})"$/.exec(headers["etag"] ?? "")?.[1];
}
