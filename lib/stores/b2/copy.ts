import { failed } from "../../errors.ts";
import { isFields, text, unexpected, whole, type Fields } from "./answers.ts";
import type { B2Api, CallOptions } from "./api.ts";
import { isGone } from "./faults.ts";

/** The largest file that one call copies, and the largest part: 5 GB. */
const largestCopy = 5_000_000_000;
/** Parts of about this many bytes: few calls, and none that takes for ever. */
const partSize = 1_000_000_000;

export interface Copy {
  readonly api: B2Api;
  readonly bucketId: string;
  readonly fileName: string;
  readonly fileId: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes above which a file is copied in parts, for tests. */
  readonly wholeUpTo?: number | undefined;
}

/**
 * Copies a version on top of its own name, within the service: content type and file information,
 * and so the modification time, stay. Throws a Failure when the service refuses.
 */
export async function copyOnTop(copy: Copy, options: CallOptions): Promise<void> {
  const { api, fileName, fileId, size, wholeUpTo = largestCopy } = copy;
  if (size > wholeUpTo) return copyParts(copy, options);
  await api.call(
    "b2_copy_file",
    { sourceFileId: fileId, fileName, metadataDirective: "COPY" },
    options,
  );
}

async function copyParts(copy: Copy, options: CallOptions): Promise<void> {
  const { api, bucketId, fileName, fileId } = copy;
  const source = await api.call("b2_get_file_info", { fileId }, options);
  const started = await api.call(
    "b2_start_large_file",
    { bucketId, fileName, ...described(source) },
    options,
  );
  const largeFileId = text("b2_start_large_file", started, "fileId");
  try {
    const partSha1Array = await eachPart(copy, largeFileId, options);
    await finish(copy, largeFileId, partSha1Array, options);
  } catch (error) {
    // Best effort: what stays is an unfinished upload, which a later prune cancels.
    const { signal: _, ...unstoppable } = options;
    await api.ask("b2_cancel_large_file", { fileId: largeFileId }, unstoppable).catch(() => {});
    throw error;
  }
}

/** What is finished already, by an attempt whose answer was lost, is told as no upload. */
async function finish(
  { api, size }: Copy,
  fileId: string,
  partSha1Array: readonly string[],
  options: CallOptions,
): Promise<void> {
  const { fault } = await api.ask("b2_finish_large_file", { fileId, partSha1Array }, options);
  if (fault === undefined) return;
  if (isGone(fault)) {
    const { fields } = await api.ask("b2_get_file_info", { fileId }, options);
    if (fields?.["action"] === "upload" && fields["contentLength"] === size) return;
  }
  throw api.failure(options.subject, fault);
}

async function eachPart(
  { api, fileId, size, wholeUpTo = largestCopy }: Copy,
  largeFileId: string,
  options: CallOptions,
): Promise<string[]> {
  const count = Math.ceil(size / Math.min(partSize, wholeUpTo));
  const step = Math.ceil(size / count);
  const sums: string[] = [];
  for (let from = 0; from < size; from += step) {
    const last = Math.min(from + step, size) - 1;
    const part = await api.call(
      "b2_copy_part",
      {
        sourceFileId: fileId,
        largeFileId,
        partNumber: sums.length + 1,
        range: `bytes=${from}-${last}`,
      },
      options,
    );
    const length = whole("b2_copy_part", part, "contentLength");
    if (length !== last - from + 1)
      throw failed(
        `${options.subject}: expected a part of ${last - from + 1} bytes, found ${length}`,
      );
    sums.push(text("b2_copy_part", part, "contentSha1"));
  }
  return sums;
}

/** Content type and file information of a file, as a new one is given them. */
function described(source: Fields): object {
  const fileInfo = source["fileInfo"];
  if (!isFields(fileInfo)) throw unexpected("b2_get_file_info", "an object in fileInfo", fileInfo);
  return { contentType: text("b2_get_file_info", source, "contentType"), fileInfo };
}
