import type { Readable } from "node:stream";
import { download, type WantedBytes } from "../download.ts";
import type { HttpHeaders } from "../http.ts";
import type { B2Api, CallOptions } from "./api.ts";
import { readFault } from "./faults.ts";

/** The content of a version, as download() gives it. */
export function downloadVersion(
  api: B2Api,
  fileId: string,
  wanted: WantedBytes,
  options: CallOptions,
): Promise<Readable> {
  const { subject } = options;
  return download(wanted, {
    open: (range) => api.download(fileId, range, options),
    refusal: (answer) => api.failure(subject, readFault(answer)),
    ...{ checksum, kind: "sha1", subject },
  });
}

/** The SHA-1 of the content that the service keeps: its own, or for large files the uploader's. */
function checksum(headers: HttpHeaders): string | undefined {
  const own = headers["x-bz-content-sha1"]?.replace(/^unverified:/, "");
  return [own, headers["x-bz-info-large_file_sha1"]].find(
    (sum) => sum !== undefined && /^[0-9a-f]{40}$/.test(sum),
  );
}
