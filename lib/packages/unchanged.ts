import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, readSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { systemCode } from "../errors.ts";
import { openToRead } from "../process/quietread.ts";
import type { OwnedFile } from "./owned.ts";

/** How a file is, beside what its package shipped; `other` is a link, a directory or a device now. */
export type Verdict =
  | { readonly is: "unchanged"; readonly size: number }
  | { readonly is: "changed" | "missing" | "other" }
  | { readonly is: "unreadable"; readonly reason: string };

/** By the length of the digest in hexadecimal. */
const algorithms: ReadonlyMap<number, string> = new Map([
  [32, "md5"],
  [40, "sha1"],
  [56, "sha224"],
  [64, "sha256"],
  [96, "sha384"],
  [128, "sha512"],
]);

const flags = constants.O_NOFOLLOW | constants.O_NONBLOCK;
const piece = Buffer.allocUnsafe(1024 * 1024);
/** After so many pieces of a file a signal is looked for. */
const turnEvery = 16;

/** Compares the content of a file with its package's. Throws only when it is stopped by the signal. */
export async function judge(
  place: Buffer,
  owned: OwnedFile,
  signal: AbortSignal,
): Promise<Verdict> {
  let descriptor: number | undefined;
  try {
    descriptor = openToRead(place, flags);
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) return { is: "other" };
    if (owned.size !== undefined && owned.size !== stat.size) return { is: "changed" };
    const algorithm = algorithms.get(owned.digest.length);
    if (algorithm === undefined) return { is: "changed" };
    const { digest, size } = await digestOf(descriptor, algorithm, signal);
    return digest === owned.digest ? { is: "unchanged", size } : { is: "changed" };
  } catch (error) {
    signal.throwIfAborted();
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return { is: "missing" };
    // ELOOP: a link; ENXIO: a socket.
    if (code === "ELOOP" || code === "ENXIO") return { is: "other" };
    return { is: "unreadable", reason: code ?? String(error) };
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Reads without waiting: most files are small, and there are hundreds of thousands. */
async function digestOf(
  descriptor: number,
  algorithm: string,
  signal: AbortSignal,
): Promise<{ digest: string; size: number }> {
  const hash = createHash(algorithm);
  let size = 0;
  for (let pieces = 1; ; pieces += 1) {
    const length = readSync(descriptor, piece);
    if (length === 0) return { digest: hash.digest("hex"), size };
    hash.update(piece.subarray(0, length));
    size += length;
    if (pieces % turnEvery === 0) {
      await setImmediate();
      signal.throwIfAborted();
    }
  }
}
