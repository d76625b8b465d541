import { compareNames } from "./names.ts";
import type { Source, Version } from "./version.ts";
import { orderOf } from "./version.ts";

/** Versions held in memory. */
export function memorySource(): Source {
  const byName = new Map<string, Version[]>();
  const byId = new Map<string, Version>();
  let names: string[] | undefined;
  const sorted = (): string[] => (names ??= [...byName.keys()].toSorted(compareNames));
  return {
    get length() {
      return sorted().length;
    },
    nameAt: (index) => sorted()[index] ?? "",
    versionsAt: (index) => byName.get(sorted()[index] ?? "") ?? [],
    named: (name) => byName.get(name) ?? [],
    before,
    find: (fileId) => byId.get(fileId),
    add: (version) => {
      byId.set(version.fileId, version);
      const versions = byName.get(version.fileName);
      if (versions === undefined) {
        byName.set(version.fileName, [version]);
        names = undefined;
        return;
      }
      const at = versions.findIndex((other) => before(version, other.fileId));
      versions.splice(at < 0 ? versions.length : at, 0, version);
    },
    drop: (version) => {
      byId.delete(version.fileId);
      const rest = byName.get(version.fileName)?.filter((other) => other !== version) ?? [];
      if (rest.length > 0) byName.set(version.fileName, rest);
      else {
        byName.delete(version.fileName);
        names = undefined;
      }
    },
  };
}

function before(version: Version, fileId: string): boolean {
  const [one, other] = [orderOf(version.fileId), orderOf(fileId)];
  return one !== undefined && other !== undefined && one > other;
}
