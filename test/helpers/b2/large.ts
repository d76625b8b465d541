import type { Call, Handler } from "./call.ts";
import { bucketOf, number, optional, permit, text, texts } from "./call.ts";
import { checksum, held } from "./content.ts";
import { B2Error, badRequest } from "./errors.ts";
import { cut, known } from "./files.ts";
import { checkName } from "./names.ts";
import { accountId } from "./service.ts";
import type { Part, Version } from "./version.ts";
import { fileJson, partJson } from "./wire.ts";

const mostParts = 10_000;
const mostUnfinished = 100;
const mostListedParts = 1000;

/** Large files: begun, sent in parts, finished or cancelled. */
export const largeApis: Readonly<Record<string, Handler>> = {
  b2_start_large_file: (call) => {
    const name = text(call, "fileName");
    const bucket = bucketOf(call, "writeFiles", name);
    checkName(name);
    const version = call.service.add(bucket, name, {
      action: "start",
      sha1: "none",
      contentType: storedType(text(call, "contentType")),
      fileInfo: texts(call, "fileInfo") ?? {},
    });
    return { json: fileJson(version, call.apiVersion) };
  },
  b2_get_upload_part_url: (call) => {
    const { fileId } = begun(call, text(call, "fileId"));
    const { key } = permit(call, "writeFiles");
    const { tokens, url } = call.service;
    const authorizationToken = tokens.give({ kind: "part", key, target: fileId, prefix: "" });
    const uploadUrl = `${url}/b2api/v2/b2_upload_part/${fileId}/${authorizationToken}`;
    return { json: { fileId, uploadUrl, authorizationToken } };
  },
  b2_copy_part: (call) => {
    const source = known(call, text(call, "sourceFileId"), "writeFiles", 404, "not_found");
    const file = begun(call, text(call, "largeFileId"));
    const content = cut(call, source.version);
    const timestamp = call.service.clock.now();
    const partNumber = number(call, "partNumber");
    const part = { number: checkPart(partNumber), content, sha1: checksum(content), timestamp };
    file.parts.set(part.number, part);
    return { json: partJson(file.fileId, part) };
  },
  b2_list_parts: (call) => {
    const { fileId, parts } = begun(call, text(call, "fileId"));
    const first = number(call, "startPartNumber") ?? 1;
    const max = Math.min(number(call, "maxPartCount") ?? 100, mostListedParts);
    const sorted = inOrder(parts).filter((part) => part.number >= first);
    return {
      json: {
        parts: sorted.slice(0, max).map((part) => partJson(fileId, part)),
        nextPartNumber: sorted[max]?.number ?? null,
      },
    };
  },
  b2_finish_large_file: (call) => {
    const file = begun(call, text(call, "fileId"));
    const sums = call.body["partSha1Array"];
    if (!Array.isArray(sums)) throw badRequest("partSha1Array is missing");
    finish(call, file, sums);
    return { json: fileJson(file, call.apiVersion) };
  },
  b2_cancel_large_file: (call) => {
    const { fileId, fileName, bucketId } = begun(call, text(call, "fileId"));
    const found = call.service.find(fileId);
    if (found !== undefined) found.bucket.source.drop(found.version);
    return { json: { accountId, bucketId, fileId, fileName } };
  },
  b2_list_unfinished_large_files: (call) => {
    const prefix = optional(call, "namePrefix") ?? "";
    const { source } = bucketOf(call, "listFiles", prefix);
    const max = Math.min(number(call, "maxFileCount") || mostUnfinished, mostUnfinished);
    const start = optional(call, "startFileId") ?? "";
    const all: Version[] = [];
    for (let index = 0; index < source.length; index += 1)
      if (source.nameAt(index).startsWith(prefix)) all.push(...source.versionsAt(index));
    const open = all
      .filter(({ action, fileId }) => action === "start" && fileId >= start)
      .toSorted((a, b) => (a.fileId < b.fileId ? -1 : 1));
    const limited = Math.min(max, call.limit ?? max);
    const files = open.slice(0, limited).map((version) => fileJson(version, call.apiVersion));
    return { json: { files, nextFileId: open[limited]?.fileId ?? null } };
  },
};

/** The number of a part, from 1 to 10,000. */
export function checkPart(value: number | undefined): number {
  if (value === undefined || !(value >= 1 && value <= mostParts))
    throw badRequest(`Part number must be from 1 to ${mostParts}`);
  return value;
}

/** What a file is stored as: the service guesses where it is told to. */
export function storedType(contentType: string): string {
  return contentType === "b2/x-auto" ? "application/octet-stream" : contentType;
}

function begun(call: Call, fileId: string): Version {
  const { version } = known(call, fileId, "writeFiles", 400, "bad_request");
  if (version.action !== "start") throw badRequest(`No active upload for: ${fileId}`);
  return version;
}

function inOrder(parts: ReadonlyMap<number, Part>): readonly Part[] {
  return [...parts.values()].toSorted((a, b) => a.number - b.number);
}

function finish(call: Call, file: Version, sums: readonly unknown[]): void {
  const parts = inOrder(file.parts);
  if (sums.length === 0) throw badRequest("partSha1Array is empty");
  for (const [index, sum] of sums.entries()) {
    const part = file.parts.get(index + 1);
    if (part === undefined) throw new B2Error(400, "missing_part", `part ${index + 1} is missing`);
    if (part.sha1 !== sum)
      throw new B2Error(400, "part_sha1_mismatch", `the SHA1 of part ${index + 1} differs`);
    const least = call.service.sizes.absoluteMinimumPartSize;
    if (index + 1 < sums.length && part.content.size < least)
      throw badRequest(`part ${index + 1} is smaller than ${least} bytes`);
  }
  if (parts.length !== sums.length) throw badRequest("there are more parts than partSha1Array has");
  file.content = held(...parts.map(({ content }) => content));
  file.size = file.content.size;
  file.action = "upload";
  file.parts.clear();
}
