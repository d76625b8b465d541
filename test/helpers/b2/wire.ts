import type { Entry } from "./listing.ts";
import type { Bucket } from "./service.ts";
import { accountId } from "./service.ts";
import type { Part, Version } from "./version.ts";

const readable = { isClientAuthorizedToRead: true };

/** A bucket as the service describes it. */
export function bucketJson(bucket: Bucket): Record<string, unknown> {
  return {
    accountId,
    bucketId: bucket.id,
    bucketName: bucket.name,
    bucketType: bucket.type,
    bucketInfo: bucket.info,
    corsRules: bucket.corsRules,
    lifecycleRules: bucket.lifecycleRules,
    options: ["s3"],
    revision: bucket.revision,
    defaultServerSideEncryption: { ...readable, value: { algorithm: null, mode: null } },
    fileLockConfiguration: {
      ...readable,
      value: { defaultRetention: { mode: null, period: null }, isFileLockEnabled: false },
    },
    replicationConfiguration: { ...readable, value: null },
  };
}

// The same for every file here. Put into words once, since a listing has it thousands of times.
const sameForAll = {
  fileRetention: { ...readable, value: { mode: null, retainUntilTimestamp: null } },
  legalHold: { ...readable, value: null },
  replicationStatus: null,
  serverSideEncryption: { algorithm: null, mode: null },
};
const sameText = JSON.stringify(sameForAll).slice(1);

/** A page of a listing in JSON. */
export function listingText(
  entries: readonly Entry[],
  bucketId: string,
  apiVersion: number,
  next: Readonly<Record<string, string | null>>,
): string {
  const files = entries.map((entry) =>
    "folder" in entry
      ? JSON.stringify(folderJson(entry.folder, bucketId, apiVersion))
      : `${JSON.stringify(ownFields(entry, apiVersion)).slice(0, -1)},${sameText}`,
  );
  return `{"files":[${files.join(",")}],${JSON.stringify(next).slice(1)}`;
}

/** A version as the service describes it; version 1 of the API calls its length `size` too. */
export function fileJson(version: Version, apiVersion: number): Record<string, unknown> {
  return { ...ownFields(version, apiVersion), ...sameForAll };
}

function ownFields(version: Version, apiVersion: number): Record<string, unknown> {
  const { action, size } = version;
  const fields = {
    accountId,
    action,
    bucketId: version.bucketId,
    contentLength: size,
    contentMd5: version.md5,
    contentSha1: version.sha1,
    contentType: version.contentType ?? (action === "hide" ? "application/x-bz-hide-marker" : null),
    fileId: version.fileId,
    fileInfo: version.fileInfo,
    fileName: version.fileName,
    uploadTimestamp: version.timestamp,
  };
  return apiVersion < 2 ? { ...fields, size } : fields;
}

function folderJson(
  fileName: string,
  bucketId: string,
  apiVersion: number,
): Record<string, unknown> {
  return {
    accountId,
    action: "folder",
    bucketId,
    contentLength: 0,
    contentMd5: null,
    contentSha1: null,
    contentType: null,
    fileId: null,
    fileInfo: {},
    fileName,
    ...sameForAll,
    serverSideEncryption: null,
    ...(apiVersion < 2 ? { size: 0 } : {}),
    uploadTimestamp: 0,
  };
}

/** A part of a large file as the service describes it. */
export function partJson(fileId: string, part: Part): Record<string, unknown> {
  return {
    fileId,
    partNumber: part.number,
    contentLength: part.content.size,
    contentMd5: null,
    contentSha1: part.sha1,
    serverSideEncryption: { algorithm: null, mode: null },
    uploadTimestamp: part.timestamp,
  };
}
