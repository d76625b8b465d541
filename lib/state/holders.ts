import { fstatSync, ftruncateSync, readFileSync, writeSync } from "node:fs";
import * as v from "valibot";
import { isAlive } from "./process.ts";

/** Who took a lock: written into the lock file for the message that others show. Holds no secret. */
export interface Holder {
  readonly pid: number;
  /** See processStart; undefined where there is no /proc. */
  readonly start: string | undefined;
  /** Tells several locks of one process apart. */
  readonly serial: number;
  /** ISO 8601, UTC. */
  readonly since: string;
  readonly command: string;
}

const schema = v.object({
  pid: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  start: v.optional(v.string()),
  serial: v.number(),
  since: v.string(),
  command: v.string(),
  released: v.optional(v.boolean()),
});

/** Readers append; after this many bytes those that have gone are dropped. */
const compactAbove = 16_384;

/**
 * Writes down that the lock on `fd` (open for appending) was taken. An exclusive holder replaces what
 * stood there, one of several readers adds a line.
 */
export function recordHolder(fd: number, holder: Holder, exclusive: boolean, file: string): void {
  const line = `${JSON.stringify(holder)}\n`;
  // The lock is what counts; on a full disk it has to do without the note.
  ignoringErrors(() => {
    if (exclusive) {
      ftruncateSync(fd, 0);
    } else if (fstatSync(fd).size > compactAbove) {
      const alive = liveHolders(file).map((other) => `${JSON.stringify(other)}\n`);
      ftruncateSync(fd, 0);
      writeSync(fd, alive.join(""));
    }
    writeSync(fd, line);
  });
}

/** Takes the note back, before the lock on `fd` is let go. */
export function recordRelease(fd: number, holder: Holder, exclusive: boolean): void {
  ignoringErrors(() => {
    if (exclusive) ftruncateSync(fd, 0);
    else writeSync(fd, `${JSON.stringify({ ...holder, released: true })}\n`);
  });
}

/** Those that a lock file names and whose processes still live. */
export function liveHolders(file: string): readonly Holder[] {
  return readHolders(file).filter(({ pid, start }) => isAlive(pid, start));
}

/** Those that a lock file names as not having let go, dead or alive; lines that make no sense are passed over. */
export function readHolders(file: string): readonly Holder[] {
  const holders = new Map<string, Holder>();
  let text = "";
  ignoringErrors(() => {
    text = readFileSync(file, "utf8");
  });
  for (const line of text.split("\n")) {
    const holder = line === "" ? undefined : parse(line);
    if (holder === undefined) continue;
    const key = `${holder.pid} ${holder.start ?? ""} ${holder.serial}`;
    if (holder.released) holders.delete(key);
    else holders.set(key, holder);
  }
  return [...holders.values()];
}

function parse(line: string): (Holder & { released: boolean }) | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const result = v.safeParse(schema, value);
  if (!result.success) return undefined;
  const { start, released = false, ...others } = result.output;
  return { ...others, start, released };
}

function ignoringErrors(action: () => void): void {
  try {
    action();
  } catch {
    // Nothing depends on it.
  }
}
