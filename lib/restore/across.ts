import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  utimesSync,
} from "node:fs";
import { stagingPrefix } from "./refusal.ts";

/**
 * Moves a finished file to another file system: copies it beside its goal, with mode and time, syncs
 * it, and lets `finish` give it its name. A copy that a killed run left under that name is replaced.
 * Paths are those of the system (Latin-1). Throws the system's errors; then nothing is left but the file where it was.
 */
export function moveAcross(from: string, to: string, finish: (beside: string) => void): void {
  const source = Buffer.from(from, "latin1");
  const slash = to.lastIndexOf("/") + 1;
  const key = createHash("sha256").update(to).digest("hex").slice(0, 12);
  const beside = `${to.slice(0, slash)}${stagingPrefix}${key}`;
  const copy = Buffer.from(beside, "latin1");
  rmSync(copy, { force: true });
  try {
    copyFileSync(source, copy, constants.COPYFILE_EXCL);
    // Microseconds are what can be set. The half one keeps it from being cut to the one before.
    const micros = lstatSync(source, { bigint: true }).mtimeNs / 1000n;
    const seconds = (Number(micros) + 0.5) / 1_000_000;
    utimesSync(copy, seconds, seconds);
    syncFile(copy);
    finish(beside);
  } catch (error) {
    rmSync(copy, { force: true });
    throw error;
  }
  rmSync(source);
}

/** Moves a file over whatever has its new name. */
export function renameFile(from: string, to: string): void {
  renameSync(Buffer.from(from, "latin1"), Buffer.from(to, "latin1"));
}

function syncFile(file: Buffer): void {
  const descriptor = openSync(file, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
