import type { Pages } from "../../manifest/pages.ts";
import type { StoreNames } from "../names.ts";
import type { UnfinishedUpload } from "../store.ts";
import { list, text, textOrNull, unexpected, whole } from "./answers.ts";
import type { B2Api, CallOptions } from "./api.ts";
import { isGone } from "./faults.ts";

const filesAtOnce = 100;
const partsAtOnce = 1000;

export interface UnfinishedOptions {
  readonly api: B2Api;
  readonly names: StoreNames;
  readonly bucketId: string;
  /** The API's beginning of all names wanted. */
  readonly prefix: string;
  readonly call: CallOptions;
}

/** Large files below a prefix that were begun and not ended, each with the time of its last part. */
export async function* listUnfinished(options: UnfinishedOptions): Pages<UnfinishedUpload> {
  const { api, names, bucketId, prefix, call } = options;
  const operation = "b2_list_unfinished_large_files";
  let startFileId: string | null | undefined;
  for (;;) {
    const answer = await api.call(
      operation,
      {
        bucketId,
        ...(prefix === "" ? {} : { namePrefix: prefix }),
        ...(startFileId === undefined ? {} : { startFileId }),
        maxFileCount: filesAtOnce,
      },
      call,
    );
    const page: UnfinishedUpload[] = [];
    for (const file of list(operation, answer, "files")) {
      const fileName = text(operation, file, "fileName");
      if (!fileName.startsWith(prefix))
        throw unexpected(operation, `names that begin with ${prefix}`, fileName);
      const fileId = text(operation, file, "fileId");
      const startedAt = whole(operation, file, "uploadTimestamp");
      // Whoever can't list parts can't cancel either.
      await api.demand(["writeFiles"], call.signal);
      const parts = await partsOf(api, fileId, call);
      if (parts === undefined) continue;
      page.push({
        ...names.named(fileName, names.bytes(fileName), fileId),
        startedAt,
        lastPartAt: Math.max(startedAt, parts.last),
        size: parts.size,
      });
    }
    if (page.length > 0) yield page;
    const next = textOrNull(operation, answer, "nextFileId");
    if (next === null) return;
    if (next === startFileId) throw unexpected(operation, "a page that goes on", next);
    startFileId = next;
  }
}

/** When the last part came, and bytes in all; undefined when the upload ended meanwhile. */
async function partsOf(
  api: B2Api,
  fileId: string,
  call: CallOptions,
): Promise<{ readonly last: number; readonly size: number } | undefined> {
  const operation = "b2_list_parts";
  let last = 0;
  let size = 0;
  let startPartNumber = 1;
  for (;;) {
    const { fields, fault } = await api.ask(
      operation,
      { fileId, startPartNumber, maxPartCount: partsAtOnce },
      call,
    );
    if (fault !== undefined && isGone(fault)) return undefined;
    if (fault !== undefined) throw api.failure(call.subject, fault);
    for (const part of list(operation, fields, "parts")) {
      last = Math.max(last, whole(operation, part, "uploadTimestamp"));
      size += whole(operation, part, "contentLength");
    }
    if (fields["nextPartNumber"] === null) return { last, size };
    const next = whole(operation, fields, "nextPartNumber");
    if (next <= startPartNumber) throw unexpected(operation, "a page that goes on", next);
    startPartNumber = next;
  }
}
