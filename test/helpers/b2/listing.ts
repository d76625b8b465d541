import { compareNames, firstIndex } from "./names.ts";
import type { Source, Version } from "./version.ts";

/** What a listing asks for. */
export interface ListQuery {
  readonly start: string;
  readonly startId: string | undefined;
  readonly prefix: string;
  readonly delimiter: string | undefined;
  readonly max: number;
}

/** A version, or a folder where a delimiter was given. */
export type Entry = Version | { readonly folder: string };

/** A page and where the next one starts. */
export interface Listed {
  readonly entries: readonly Entry[];
  readonly next: { readonly name: string; readonly id: string | null } | undefined;
}

/** Every version, by name and of one name newest first. */
export function listVersions(source: Source, query: ListQuery): Listed {
  return list(source, query, (index) => source.versionsAt(index));
}

/** The newest version of each name, where that is a file; a large file that was begun counts for nothing. */
export function listNames(source: Source, query: ListQuery): Listed {
  return list(source, { ...query, startId: undefined }, (index) => {
    const newest = source.versionsAt(index).find(({ action }) => action !== "start");
    return newest?.action === "upload" ? [newest] : [];
  });
}

function list(source: Source, query: ListQuery, at: (index: number) => readonly Version[]): Listed {
  const { start, startId, prefix, delimiter, max } = query;
  const from = compareNames(start, prefix) > 0 ? start : prefix;
  const entries: Entry[] = [];
  let index = first(source, 0, (name) => compareNames(name, from) >= 0);
  while (index < source.length) {
    const name = source.nameAt(index);
    if (!name.startsWith(prefix)) break;
    const versions = at(index);
    const folder = folderOf(name, prefix, delimiter);
    if (folder !== undefined && versions.length > 0) {
      if (entries.length >= max) return { entries, next: { name: folder, id: null } };
      entries.push({ folder });
      index = first(source, index, (other) => !other.startsWith(folder));
      continue;
    }
    for (const version of versions) {
      if (startId !== undefined && name === start && source.before(version, startId)) continue;
      if (entries.length >= max) return { entries, next: { name, id: version.fileId } };
      entries.push(version);
    }
    index += 1;
  }
  return { entries, next: undefined };
}

function folderOf(name: string, prefix: string, delimiter: string | undefined): string | undefined {
  if (delimiter === undefined || delimiter === "") return undefined;
  const at = name.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : name.slice(0, at + delimiter.length);
}

function first(source: Source, low: number, holds: (name: string) => boolean): number {
  return firstIndex(low, source.length, (index) => holds(source.nameAt(index)));
}
