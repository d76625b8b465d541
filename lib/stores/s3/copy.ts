import type { CallOptions, S3Api } from "./api.ts";
import { encoded } from "./endpoint.ts";
import type { StoredVersion } from "../store.ts";
import { faultFailure, type Fault } from "./faults.ts";
import { escaped, required } from "./xml.ts";

/** Parts of about this many bytes, and so at most 5,000 of them in the largest object. */
const partSize = 1024 ** 3;

export interface Copy {
  readonly api: S3Api;
  readonly bucket: string;
  readonly key: string;
  readonly id: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes above which a file is copied in parts. */
  readonly wholeUpTo: number;
  /** How rclone would store a new object: its class, encryption and access. */
  readonly storing: Readonly<Record<string, string>>;
  /** The newest entry of the key, as the server lists it. */
  readonly newest: () => Promise<StoredVersion | undefined>;
}

/** Copies a version on top of its own key, within the server; metadata, and so the time, stay. */
export async function copyOnTop(copy: Copy, options: CallOptions): Promise<void> {
  const { api, key, size, wholeUpTo, storing } = copy;
  if (size > wholeUpTo) return copyParts(copy, options);
  await api.call(
    {
      billed: "copy",
      method: "PUT",
      key,
      headers: { ...storing, ...source(copy) },
      answer: "CopyObjectResult",
    },
    options,
  );
}

function source({ bucket, key, id }: Copy): Record<string, string> {
  const place = key.split("/").map(encoded).join("/");
  return { "x-amz-copy-source": `/${encoded(bucket)}/${place}?versionId=${encoded(id)}` };
}

async function copyParts(copy: Copy, options: CallOptions): Promise<void> {
  const { api, key, storing } = copy;
  const before = await copy.newest();
  const headers = { ...(await described(copy, options)), ...storing };
  const operation = "InitiateMultipartUploadResult";
  const started = await api.call(
    { billed: "copy", method: "POST", key, query: { uploads: "" }, headers, answer: operation },
    options,
  );
  const uploadId = required(operation, started, "UploadId");
  try {
    const parts = await eachPart(copy, uploadId, options);
    const body = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join("")}</CompleteMultipartUpload>`;
    const answer = "CompleteMultipartUploadResult";
    const { fault } = await api.ask(
      { billed: "copy", method: "POST", key, query: { uploadId }, body, answer },
      options,
    );
    if (fault !== undefined && !(await isComplete(copy, fault, before)))
      throw faultFailure(options.subject, fault);
  } catch (error) {
    // Best effort: what stays is an unfinished upload, which a later prune cancels.
    const { signal: _, ...unstoppable } = options;
    await api
      .ask({ billed: "delete", method: "DELETE", key, query: { uploadId } }, unstoppable)
      .catch(() => {});
    throw error;
  }
}

/** Whether an upload that is no more was completed by an attempt whose answer was lost. */
async function isComplete(
  { newest, size }: Copy,
  fault: Fault,
  before: StoredVersion | undefined,
): Promise<boolean> {
  if (fault.code !== "NoSuchUpload") return false;
  const now = await newest();
  return now?.kind === "file" && now.size === size && now.id !== before?.id;
}

async function eachPart(copy: Copy, uploadId: string, options: CallOptions): Promise<string[]> {
  const { api, key, size, wholeUpTo } = copy;
  const step = Math.min(partSize, wholeUpTo);
  const parts: string[] = [];
  for (let from = 0; from < size; from += step) {
    const partNumber = String(parts.length + 1);
    const range = `bytes=${from}-${Math.min(from + step, size) - 1}`;
    const answer = "CopyPartResult";
    const part = await api.call(
      {
        billed: "copy",
        method: "PUT",
        key,
        query: { partNumber, uploadId },
        headers: { ...source(copy), "x-amz-copy-source-range": range },
        answer,
      },
      options,
    );
    const etag = escaped(required(answer, part, "ETag"));
    parts.push(`<Part><PartNumber>${partNumber}</PartNumber><ETag>${etag}</ETag></Part>`);
  }
  return parts;
}

const kept =
  /^(x-amz-meta-.*|content-type|content-encoding|content-language|content-disposition|cache-control|expires)$/;

/** What a new object is given so that it is described as the old version. */
async function described(
  { api, key, id }: Copy,
  options: CallOptions,
): Promise<Record<string, string>> {
  const answer = await api.ask(
    { billed: "get", method: "HEAD", key, query: { versionId: id } },
    options,
  );
  if (answer.fault !== undefined) throw faultFailure(options.subject, answer.fault);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer.answer.headers))
    if (value !== undefined && kept.test(name)) headers[name] = value;
  return headers;
}
