import type { RawPath } from "../units/rawpath.ts";

/** How paths and sizes look in a store, and back. */
export interface Names {
  /**
   * Plain paths for stored ones, many at once; undefined for a name that is not ours. All in
   * rclone's standard encoding, relative to the top of the place.
   */
  decode(stored: readonly RawPath[]): readonly (RawPath | undefined)[];
  /** The stored path of a file, or of a directory. Throws when the plain path can't be stored. */
  encode(plain: RawPath, kind: "file" | "directory"): RawPath;
  /** Bytes of the plain content; undefined for a size that no stored file can have. */
  plainSize(storedSize: number): number | undefined;
}
