import { createReadStream } from "node:fs";
import { rawFromBytes, type RawPath } from "../units/rawpath.ts";
import { unchanged, type Entry } from "./entry.ts";
import { merge, type Pages } from "./pages.ts";
import { linePages } from "./textpages.ts";

/** What a sync would do to one file of the destination. */
export interface Change {
  readonly kind: "add" | "change" | "delete";
  readonly path: RawPath;
  /** Bytes of the new content, or of what is deleted. */
  readonly size: number;
}

/** What differs between what the destination holds and what the source holds now, sorted by path. */
export async function* changes(held: Pages<Entry>, source: Pages<Entry>): Pages<Change> {
  for await (const pairs of merge(held, source)) {
    const page: Change[] = [];
    for (const [before, now] of pairs) {
      if (before === undefined && now !== undefined)
        page.push({ kind: "add", path: now.path, size: now.size });
      else if (now === undefined && before !== undefined)
        page.push({ kind: "delete", path: before.path, size: before.size });
      else if (before !== undefined && now !== undefined && !unchanged(before, now))
        page.push({ kind: "change", path: now.path, size: now.size });
    }
    if (page.length > 0) yield page;
  }
}

/** The line of a change: `path TAB size TAB kind`. */
export function formatChange(change: Change): string {
  return `${change.path}\t${change.size}\t${change.kind}`;
}

/** Reads a sorted file of formatChange lines. */
export async function* readChanges(file: string): Pages<Change> {
  for await (const lines of linePages(createReadStream(file))) yield lines.map(parseChange);
}

function parseChange(line: string): Change {
  const [path = "", size = "-1", kind] = line.split("\t");
  return {
    path: rawFromBytes(path),
    size: Number(size),
    kind: kind === "add" || kind === "delete" ? kind : "change",
  };
}
