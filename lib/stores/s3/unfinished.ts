import type { Pages } from "../../manifest/pages.ts";
import type { StoreNames } from "../names.ts";
import type { UnfinishedUpload } from "../store.ts";
import type { CallOptions, S3Api } from "./api.ts";
import { faultFailure } from "./faults.ts";
import { decoder } from "./listing.ts";
import { flag, optional, required, size, time, unexpected } from "./xml.ts";

const operation = "ListMultipartUploads";

export interface UnfinishedOptions {
  readonly api: S3Api;
  readonly names: StoreNames;
  /** The beginning of all keys wanted. */
  readonly prefix: string;
  readonly encodeKeys: boolean;
  readonly call: CallOptions;
}

/** Uploads in parts that were begun below a prefix and not ended, with the time of the last part. */
export async function* listUnfinished(options: UnfinishedOptions): Pages<UnfinishedUpload> {
  const { api, names, prefix, encodeKeys, call } = options;
  let start: { readonly key: string; readonly id: string } | undefined;
  for (;;) {
    const root = await api.call(
      {
        billed: "list",
        method: "GET",
        query: {
          uploads: "",
          ...(encodeKeys ? { "encoding-type": "url" } : {}),
          ...(start === undefined ? {} : { "key-marker": start.key, "upload-id-marker": start.id }),
          prefix,
        },
        answer: "ListMultipartUploadsResult",
      },
      call,
    );
    const spoken = decoder(root);
    const page: UnfinishedUpload[] = [];
    for (const upload of root.children) {
      if (upload.name !== "Upload") continue;
      const key = spoken(required(operation, upload, "Key"));
      if (!key.startsWith(prefix))
        throw unexpected(operation, `keys that begin with ${prefix}`, key);
      if (key.endsWith("/")) continue;
      const uploadId = required(operation, upload, "UploadId");
      const startedAt = time(operation, upload, "Initiated");
      const parts = await partsOf(api, key, uploadId, call);
      if (parts === undefined) continue;
      page.push({
        ...names.named(key, names.bytes(key), uploadId),
        startedAt,
        lastPartAt: Math.max(startedAt, parts.last),
        size: parts.size,
      });
    }
    if (page.length > 0) yield page;
    if (!flag(operation, root, "IsTruncated")) return;
    const next = {
      key: spoken(required(operation, root, "NextKeyMarker")),
      id: required(operation, root, "NextUploadIdMarker"),
    };
    if (next.key === start?.key && next.id === start.id)
      throw unexpected(operation, "a page that goes on", next.key);
    start = next;
  }
}

/** When the last part came, and bytes in all; undefined when the upload ended meanwhile. */
async function partsOf(
  api: S3Api,
  key: string,
  uploadId: string,
  call: CallOptions,
): Promise<{ readonly last: number; readonly size: number } | undefined> {
  const listing = "ListParts";
  let last = 0;
  let bytes = 0;
  let marker: string | undefined;
  for (;;) {
    const answer = await api.ask(
      {
        billed: "list",
        method: "GET",
        key,
        query: { uploadId, ...(marker === undefined ? {} : { "part-number-marker": marker }) },
        answer: "ListPartsResult",
      },
      call,
    );
    if (answer.fault?.code === "NoSuchUpload") return undefined;
    if (answer.fault !== undefined) throw faultFailure(call.subject, answer.fault);
    const { root } = answer;
    if (root === undefined) throw unexpected(listing, "an answer in XML", "none");
    for (const part of root.children) {
      if (part.name !== "Part") continue;
      last = Math.max(last, time(listing, part, "LastModified"));
      bytes += size(listing, part, "Size");
    }
    if (optional(root, "IsTruncated")?.trim().toLowerCase() !== "true")
      return { last, size: bytes };
    const next = required(listing, root, "NextPartNumberMarker");
    if (next === marker) throw unexpected(listing, "a page that goes on", next);
    marker = next;
  }
}
