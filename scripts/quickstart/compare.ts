import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** Digests of the files below a directory that a backup stores as they are, by path. */
export function digestFiles(directory: string): ReadonlyMap<string, string> {
  const digests = new Map<string, string>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    // Links are in the archive of special files; editors' copies are in no backup.
    if (!entry.isFile() || entry.name.endsWith("~")) continue;
    const file = path.join(entry.parentPath, entry.name);
    const digest = createHash("sha256").update(readFileSync(file)).digest("hex");
    digests.set(path.relative(directory, file), digest);
  }
  return digests;
}

/** The paths at which two directories differ, sorted. */
export function differences(
  expected: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
): readonly string[] {
  const names = new Set([...expected.keys(), ...found.keys()]);
  return [...names].filter((name) => expected.get(name) !== found.get(name)).toSorted();
}
