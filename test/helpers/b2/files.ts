import type { Call, Handler, Result } from "./call.ts";
import { bucketOf, number, optional, permit, text, texts } from "./call.ts";
import { held } from "./content.ts";
import type { Content } from "./content.ts";
import { B2Error, badRequest } from "./errors.ts";
import { listNames, listVersions } from "./listing.ts";
import type { Listed } from "./listing.ts";
import { checkName } from "./names.ts";
import { rangeOf } from "./range.ts";
import type { Bucket } from "./service.ts";
import type { Version } from "./version.ts";
import { fileJson, listingText } from "./wire.ts";

const defaultCount = 100;
const largestCount = 10_000;
const billedTogether = 1000;

/** Listing, hiding, deleting and copying files. */
export const fileApis: Readonly<Record<string, Handler>> = {
  b2_list_file_names: (call) =>
    listing(call, listNames, (next) => ({ nextFileName: next?.name ?? null })),
  b2_list_file_versions: (call) =>
    listing(call, listVersions, (next) => ({
      nextFileName: next?.name ?? null,
      nextFileId: next?.id ?? null,
    })),
  b2_get_file_info: (call) => {
    const { version } = known(call, text(call, "fileId"), "readFiles", 404, "not_found");
    return { json: fileJson(version, call.apiVersion) };
  },
  b2_hide_file: (call) => {
    const name = text(call, "fileName");
    const bucket = bucketOf(call, "writeFiles", name);
    checkName(name);
    const [newest] = finished(call, bucket, name);
    if (newest === undefined) throw new B2Error(400, "no_such_file", `File not present: ${name}`);
    if (newest.action === "hide")
      throw new B2Error(400, "already_hidden", `File already hidden: ${name}`);
    const version = call.service.add(bucket, name, { action: "hide" });
    return { json: fileJson(version, call.apiVersion) };
  },
  b2_delete_file_version: (call) => {
    const [fileName, fileId] = [text(call, "fileName"), text(call, "fileId")];
    const found = known(call, fileId, "deleteFiles", 400, "file_not_present");
    if (found.version.fileName !== fileName)
      throw new B2Error(400, "file_not_present", `File not present: ${fileName} ${fileId}`);
    found.bucket.source.drop(found.version);
    return { json: { fileId, fileName } };
  },
  b2_get_upload_url: (call) => {
    const bucket = bucketOf(call, "writeFiles");
    const { key } = permit(call, "writeFiles");
    const { tokens, url } = call.service;
    const target = bucket.id;
    const authorizationToken = tokens.give({ kind: "upload", key, target, prefix: "" });
    const uploadUrl = `${url}/b2api/v2/b2_upload_file/${target}/${authorizationToken}`;
    return { json: { bucketId: target, uploadUrl, authorizationToken } };
  },
  b2_copy_file: (call) => {
    const source = known(call, text(call, "sourceFileId"), "writeFiles", 404, "not_found");
    const name = text(call, "fileName");
    const target = optional(call, "destinationBucketId") ?? source.bucket.id;
    permit(call, "writeFiles", target, name);
    checkName(name);
    const directive = optional(call, "metadataDirective") ?? "COPY";
    const [contentType, fileInfo] = [optional(call, "contentType"), texts(call, "fileInfo")];
    const replaces = directive === "REPLACE";
    if (!replaces && (contentType !== undefined || fileInfo !== undefined))
      throw badRequest("contentType and fileInfo need metadataDirective REPLACE");
    if (replaces && contentType === undefined)
      throw badRequest("metadataDirective REPLACE needs contentType");
    const made = call.service.add(call.service.bucket(target), name, {
      action: "upload",
      content: cut(call, source.version),
      contentType: replaces ? (contentType ?? null) : source.version.contentType,
      fileInfo: replaces ? (fileInfo ?? {}) : source.version.fileInfo,
    });
    return { json: { ...fileJson(made, call.apiVersion), action: "copy" } };
  },
};

/** The bucket and version of an id, which the key may use for this; `status` and `code` where there is none. */
export function known(
  call: Call,
  fileId: string,
  capability: string,
  status: number,
  code: string,
): { readonly bucket: Bucket; readonly version: Version } {
  permit(call, capability);
  const found = call.service.find(fileId);
  if (found === undefined) throw new B2Error(status, code, `File not present: ${fileId}`);
  permit(call, capability, found.bucket.id, found.version.fileName);
  return found;
}

/** What a copy takes of its source: all of it or the range that the call names. */
export function cut(call: Call, { content, action }: Version): Content {
  if (action !== "upload" || content === undefined)
    throw badRequest("the source of a copy must be a file");
  const asked = optional(call, "range");
  const range = asked === undefined ? undefined : rangeOf(asked, content.size);
  const [start, end] = range ?? [0, content.size];
  const size = end - start;
  if (size > call.service.sizes.largestCopy)
    throw new B2Error(400, "source_too_large", `Copy source too big: ${size}`);
  if (range === undefined) return content;
  return held({ size, read: (from, to) => content.read(start + from, start + to) });
}

function finished(call: Call, bucket: Bucket, name: string): readonly Version[] {
  return call.service.versionsOf(bucket, name).filter(({ action }) => action !== "start");
}

function listing(
  call: Call,
  list: typeof listVersions,
  nextOf: (next: Listed["next"]) => Readonly<Record<string, string | null>>,
): Result {
  const prefix = optional(call, "prefix") ?? "";
  const start = optional(call, "startFileName") ?? "";
  const startId = optional(call, "startFileId");
  if (startId !== undefined && start === "")
    throw badRequest("startFileName must be given with startFileId");
  const { source, id } = bucketOf(call, "listFiles", prefix);
  const asked = number(call, "maxFileCount") ?? 0;
  if (asked < 0 || asked > largestCount)
    throw badRequest(`maxFileCount must be from 0 to ${largestCount}`);
  const { pageLength } = call.service.sizes;
  const max = Math.min(asked === 0 ? defaultCount : asked, pageLength, call.limit ?? Infinity);
  const delimiter = optional(call, "delimiter");
  const { entries, next } = list(source, { start, startId, prefix, delimiter, max });
  const page = listingText(entries, id, call.apiVersion, nextOf(next));
  return { text: page, billed: Math.max(1, Math.ceil(entries.length / billedTogether)) };
}
