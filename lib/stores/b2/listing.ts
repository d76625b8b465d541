import { failed, type Failure } from "../../errors.ts";
import type { Pages } from "../../manifest/pages.ts";
import { rawFromBytes, type RawPath } from "../../units/rawpath.ts";
import type { StoreNames } from "../names.ts";
import { Stopper } from "../stopper.ts";
import type { StoredVersion } from "../store.ts";
import { isFields, list, text, textOrNull, unexpected, whole, type Fields } from "./answers.ts";
import type { B2Api } from "./api.ts";
import { parsePage } from "./pieces.ts";

const operation = "b2_list_file_versions";
/** The service bills a call for every so many files that it returns. */
const billedAtOnce = 1000;

export interface ListingOptions {
  readonly api: B2Api;
  readonly names: StoreNames;
  readonly bucketId: string;
  /** The API's beginning of all names wanted. */
  readonly prefix: string;
  readonly pageSize: number;
  /** Where it is, for messages. */
  readonly place: string;
  readonly signal?: AbortSignal | undefined;
}

/** Where a page begins: the API's name and id of its first version. */
interface Start {
  readonly fileName: string;
  readonly fileId: string;
}

/**
 * All versions below a prefix, in the order of the service: by the bytes of the stored name, newest
 * first. While a page is worked on, the next one is fetched. Throws a Failure when a page is not
 * what the service documents, or not in order.
 */
export async function* listVersions(options: ListingOptions): Pages<StoredVersion> {
  const stopper = new Stopper(options.signal);
  const { signal } = stopper;
  const check = new OrderCheck(options);
  const fetch = (start?: Start): Promise<Page> => fetchPage({ ...options, signal }, check, start);
  let next: Promise<Page> | undefined = fetch();
  try {
    while (next !== undefined) {
      const { versions, start }: Page = await next;
      next = start === undefined ? undefined : fetch(start);
      // A failure is told when its turn comes, and is nobody's if the listing ends before.
      next?.catch(() => {});
      if (versions.length > 0) yield versions;
    }
  } finally {
    stopper.stop();
  }
}

interface Page {
  readonly versions: readonly StoredVersion[];
  /** Where the next one begins; undefined after the last. */
  readonly start: Start | undefined;
}

/** A page, read at once: what the service says of a file takes several times the memory of what we keep. */
async function fetchPage(
  { api, bucketId, prefix, pageSize, place, signal }: ListingOptions,
  check: OrderCheck,
  start: Start | undefined,
): Promise<Page> {
  const answer = await api.call(
    operation,
    {
      bucketId,
      prefix,
      maxFileCount: pageSize,
      ...(start === undefined ? {} : { startFileName: start.fileName, startFileId: start.fileId }),
    },
    { signal, subject: `${place}: to list versions`, parse: (body) => parsePage(body, pick) },
  );
  const files = list(operation, answer, "files");
  api.bill(Math.max(0, Math.ceil(files.length / billedAtOnce) - 1));
  const versions: StoredVersion[] = [];
  for (const file of files) {
    const version = readVersion(file, check);
    if (version !== undefined) versions.push(version);
  }
  const fileName = textOrNull(operation, answer, "nextFileName");
  if (fileName === null) return { versions, start: undefined };
  const next = { fileName, fileId: text(operation, answer, "nextFileId") };
  check.beyond(next, start);
  return { versions, start: next };
}

/** What is read of an entry of a page: a third of what the service tells. */
function pick(file: Fields): Fields {
  const { action, contentLength, contentSha1, fileId, fileInfo, fileName, uploadTimestamp } = file;
  return { action, contentLength, contentSha1, fileId, fileInfo, fileName, uploadTimestamp };
}

/** One entry of a page; undefined for a large file whose upload has begun, which is no version yet. */
function readVersion(file: Fields, check: OrderCheck): StoredVersion | undefined {
  const fileName = text(operation, file, "fileName");
  const fileId = text(operation, file, "fileId");
  const storedAt = whole(operation, file, "uploadTimestamp");
  check.follows(fileName, storedAt);
  const { action } = file;
  if (action === "start") return undefined;
  const { name, order, id } = check.named(fileId);
  // Each shape is made at once, without spreads or later additions: there may be millions.
  if (action === "hide") {
    const marker = { name, id, kind: "marker", size: 0, storedAt, modifiedAt: undefined } as const;
    return order === undefined ? marker : { ...marker, order };
  }
  const size = sizeOf(file);
  const modified = modifiedAt(file);
  const hex = sha1Of(file);
  const kind = "file";
  if (hex === undefined) {
    const version = { name, id, kind, size, storedAt, modifiedAt: modified } as const;
    return order === undefined ? version : { ...version, order };
  }
  const hash = { kind: "sha1", hex } as const;
  return order === undefined
    ? { name, id, kind, size, storedAt, modifiedAt: modified, hash }
    : { name, id, kind, size, storedAt, modifiedAt: modified, hash, order };
}

function sizeOf(file: Fields): number {
  const { action } = file;
  if (action === "upload" || action === "copy") return whole(operation, file, "contentLength");
  throw unexpected(operation, "the action upload, hide or start", action);
}

/** The modification time that rclone keeps with a file, milliseconds since 1970. */
function modifiedAt({ fileInfo: info }: Fields): number | undefined {
  if (!isFields(info)) return undefined;
  const millis = info["src_last_modified_millis"];
  return typeof millis === "string" && /^-?\d{1,15}$/.test(millis) ? Number(millis) : undefined;
}

/** The checksum of the content: the service's own, or for large files the uploader's. */
function sha1Of({ contentSha1: own, fileInfo: info }: Fields): string | undefined {
  if (isSha1(own)) return own;
  const sum = typeof own === "string" ? own.replace(/^unverified:/, "") : undefined;
  if (isSha1(sum)) return sum;
  const large = isFields(info) ? info["large_file_sha1"] : undefined;
  return isSha1(large) ? large : undefined;
}

function isSha1(sum: unknown): sum is string {
  return typeof sum === "string" && sum.length === 40 && /^[0-9a-f]*$/.test(sum);
}

/**
 * Holds a listing to its order, by which versions of one file are told to be all there, and knows the
 * name that it has come to: versions of one file come one after another, and looking at a name costs more
 * than all the rest.
 */
class OrderCheck {
  readonly #place: string;
  readonly #prefix: string;
  readonly #names: StoreNames;
  #fileName = "";
  /** The last name in the bytes of the store. */
  #bytes: RawPath = rawFromBytes("");
  #storedAt = 0;
  /** What it stands for; undefined until someone asks, or where it depends on the id. */
  #named: ReturnType<StoreNames["named"]> | undefined;

  constructor({ place, prefix, names }: ListingOptions) {
    this.#place = place;
    this.#prefix = prefix;
    this.#names = names;
  }

  /** Throws unless a version may come after the last one. */
  follows(fileName: string, storedAt: number): void {
    if (fileName === this.#fileName) {
      if (storedAt > this.#storedAt) throw this.#disorder(fileName);
      this.#storedAt = storedAt;
      return;
    }
    if (!fileName.startsWith(this.#prefix))
      throw failed(
        `${this.#place}: expected names that begin with ${this.#prefix}, found ${fileName}`,
      );
    const bytes = this.#names.bytes(fileName);
    if (bytes < this.#bytes || (bytes === this.#bytes && storedAt > this.#storedAt))
      throw this.#disorder(fileName);
    this.#fileName = fileName;
    this.#bytes = bytes;
    this.#storedAt = storedAt;
    this.#named = undefined;
  }

  /** Name and id of a version of the file that the listing has come to. */
  named(fileId: string): ReturnType<StoreNames["named"]> {
    const known = this.#named;
    if (known !== undefined) return { ...known, id: fileId };
    const named = this.#names.named(this.#fileName, this.#bytes, fileId);
    if (named.id === fileId) this.#named = named;
    return named;
  }

  /** Throws unless a page that begins at `next` comes after what was seen, and after `start`. */
  beyond(next: Start, start: Start | undefined): void {
    const still = next.fileName === start?.fileName && next.fileId === start.fileId;
    if (still || this.#names.bytes(next.fileName) < this.#bytes)
      throw failed(
        `${this.#place}: expected each page of the listing to go on, found one that goes back`,
        { hint: "nothing was concluded from this listing; try again" },
      );
  }

  #disorder(fileName: string): Failure {
    return failed(
      `${this.#place}: expected versions in order of name and newest first, found ${fileName} out of order`,
      { hint: "nothing was concluded from this listing; try again" },
    );
  }
}
