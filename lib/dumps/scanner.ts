import type { Section } from "../chunks/section.ts";

export type { Section } from "../chunks/section.ts";

export interface SectionStart {
  /** Offset in the window, at the beginning of a line. */
  readonly at: number;
  readonly section: Section;
}

export interface Scanned {
  /** In their order; none before `from`. A dump that begins with none begins with a section "head". */
  readonly starts: readonly SectionStart[];
  /** No section begins before this offset but those told. From here on the bytes are shown again. */
  readonly decided: number;
}

/** Which program wrote a dump. */
export interface DumpKind {
  readonly program: "mysqldump" | "mariadb-dump" | "pg_dump" | "pg_dumpall";
  /** As the program wrote it, if it did. */
  readonly version?: string | undefined;
}

/**
 * Finds where the sections of a dump begin. A mistake may only make worse cuts: no byte depends on it.
 * It keeps what it needs of bytes that were decided, for they may be gone from the next window.
 */
export interface DumpScanner {
  /**
   * Looks at window[from, end). `from` is the offset that was decided last, in a window that may have
   * moved; `last` says that nothing follows, and then all has to be decided. At most 64 KiB may stay
   * undecided. Throws failed() or
   * usage() for what is no dump of this kind, as soon as that can be told.
   */
  scan(window: Buffer, from: number, end: number, last: boolean): Scanned;
  /** Throws failed() if what was seen is no complete dump. */
  finish(): DumpKind;
}
