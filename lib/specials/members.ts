import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { lstatSync, readlinkSync } from "node:fs";
import { setImmediate as breathe } from "node:timers/promises";
import { interrupted } from "../errors.ts";

export interface Members {
  /** Relative paths, bytes in Latin-1 strings, in byte order. */
  readonly paths: readonly string[];
  /** SHA-256, in hex, of everything about them that the archive holds. */
  readonly digest: string;
  /** Nanoseconds since 1970 of the newest one that is not in the future; undefined if all are. */
  readonly newest: bigint | undefined;
}

const batch = 1000;

/**
 * Reads what an archive of these files would hold. Those that have gone or are of another type by now
 * are left out. Throws interrupted() when the signal is aborted.
 */
export async function describeMembers(
  source: string,
  candidates: readonly string[],
  options: {
    readonly links: boolean;
    readonly now: Date;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Members> {
  const root = Buffer.from(source).toString("latin1");
  const hash = createHash("sha256");
  const paths: string[] = [];
  const firstNames = new Map<string, string>();
  const future = BigInt(options.now.getTime()) * 1_000_000n;
  let newest: bigint | undefined;
  let read = 0;
  for (const path of candidates) {
    if (++read % batch === 0) {
      await breathe();
      if (options.signal?.aborted === true)
        throw interrupted("stopped while reading special files");
    }
    const file = Buffer.from(`${root}/${path}`, "latin1");
    const member = describe(file, options.links);
    if (member === undefined) continue;
    const { stat, type, target } = member;
    // tar stores a second name of the same file as a link to the first.
    const identity = `${stat.dev} ${stat.ino}`;
    const first = stat.nlink > 1n ? firstNames.get(identity) : undefined;
    if (stat.nlink > 1n && first === undefined) firstNames.set(identity, path);
    const { mode, uid, gid, mtimeNs, rdev } = stat;
    hash.update(`${type} ${mode} ${uid} ${gid} ${mtimeNs} ${rdev} `);
    hash.update(`${path}\0${target}\0${first ?? ""}\0`, "latin1");
    paths.push(path);
    if (mtimeNs <= future && (newest === undefined || mtimeNs > newest)) newest = mtimeNs;
  }
  return { paths, digest: hash.digest("hex"), newest };
}

function describe(
  file: Buffer,
  links: boolean,
): { stat: BigIntStats; type: string; target: string } | undefined {
  try {
    const stat = lstatSync(file, { bigint: true });
    if (stat.isSymbolicLink()) {
      if (!links) return undefined;
      return { stat, type: "l", target: readlinkSync(file, "latin1") };
    }
    const type = stat.isFIFO() ? "p" : stat.isBlockDevice() ? "b" : stat.isCharacterDevice() && "c";
    return type === false ? undefined : { stat, type, target: "" };
  } catch {
    return undefined;
  }
}
