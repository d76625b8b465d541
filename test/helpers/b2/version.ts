import type { Content } from "./content.ts";

/** A part of a large file that arrived. */
export interface Part {
  readonly number: number;
  readonly content: Content;
  readonly sha1: string;
  readonly timestamp: number;
}

/** One version of a file, a hide marker, or a large file that was begun. */
export interface Version {
  readonly fileId: string;
  readonly fileName: string;
  readonly bucketId: string;
  action: "upload" | "hide" | "start";
  readonly timestamp: number;
  size: number;
  content: Content | undefined;
  readonly sha1: string | null;
  readonly md5: string | null;
  readonly contentType: string | null;
  readonly fileInfo: Readonly<Record<string, string>>;
  /** Of a large file that is not finished, by number. */
  readonly parts: Map<number, Part>;
}

/** The versions of a bucket, in order, wherever they come from. */
export interface Source {
  /** How many names there are. */
  readonly length: number;
  /** The names, ascending. */
  nameAt: (index: number) => string;
  /** Newest first; none where all were deleted. */
  versionsAt: (index: number) => readonly Version[];
  /** The versions of one name, newest first. */
  named: (name: string) => readonly Version[];
  /** Whether the version stands before the place of this id among the versions of its name. */
  before: (version: Version, fileId: string) => boolean;
  /** A version by its id. */
  find: (fileId: string) => Version | undefined;
  /** Adds a version; throws where the source is made up. */
  add: (version: Version) => void;
  /** Drops a version for good. */
  drop: (version: Version) => void;
}

const sequenceDigits = 6;

/** An id as the service writes them; `sequence` tells versions of the same moment apart. */
export function makeFileId(bucketId: string, timestamp: number, sequence: number): string {
  const [day = "", time = ""] = new Date(timestamp).toISOString().split("T");
  const digits = time.slice(0, 8).replaceAll(":", "");
  const unique = `${hex(timestamp, 12)}${hex(sequence, sequenceDigits)}`;
  return `4_z${bucketId}_f1${unique}_d${day.replaceAll("-", "")}_m${digits}_c001_v0001000_t0000`;
}

/** What orders ids of one name: the greater, the newer; undefined for what is no id of makeFileId. */
export function orderOf(fileId: string): string | undefined {
  return /_f1([0-9a-f]{18})_/.exec(fileId)?.[1];
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
