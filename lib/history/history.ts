import type { StoredVersion } from "../stores/store.ts";
import type { RawPath } from "../units/rawpath.ts";

/** One version of a file: a span of time in which it was what the path held. */
export interface FileVersion {
  readonly stored: StoredVersion;
  /** Plain bytes. */
  readonly size: number;
  /** When it came, milliseconds since 1970. */
  readonly from: number;
  /** When it was superseded or deleted; undefined for the current version. */
  readonly until: number | undefined;
  readonly end: "current" | "superseded" | "deleted";
  /** When it truly ended, where what came then is no longer stored: until then nothing else is known. */
  readonly ended: number | undefined;
  /** Whether the store can't be believed about `until`: a deletion told before what it deletes. */
  readonly doubtful: boolean;
}

/** All that the store keeps of one path. */
export interface FileHistory {
  readonly path: RawPath;
  /** As stored. */
  readonly name: RawPath;
  /** What the store sorts by: the name, or how the store itself writes it. */
  readonly order: RawPath;
  /** Contents, newest first. */
  readonly versions: readonly FileVersion[];
  /** Hide or delete markers, newest first. */
  readonly markers: readonly StoredVersion[];
  /**
   * Contents and markers, newest first, in the store's order: their times can't tell it where they
   * are equal or wrong.
   */
  readonly entries: readonly StoredVersion[];
  /**
   * How many entries hold content that can't be ours, by its size: no version tells of them. As long
   * as there are any, nothing of the file is to be removed.
   */
  readonly foreign: number;
  /** The version that a listing without history shows, if it is one of ours. */
  readonly current: FileVersion | undefined;
  /** When the file was deleted, if it is. */
  readonly deletedAt: number | undefined;
}
