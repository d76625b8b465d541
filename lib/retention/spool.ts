import { createReadStream } from "node:fs";
import type { Pages } from "../manifest/pages.ts";
import { linePages } from "../manifest/textpages.ts";
import type { LineSpool } from "../process/spool.ts";
import type { StoredVersion } from "../stores/store.ts";
import { fieldFromName, nameFromField } from "../units/field.ts";
import type { RawPath } from "../units/rawpath.ts";
import type { Removals } from "./apply.ts";

/**
 * Writes what is to be removed of one file: `/path TAB stored name`, and a line for each version.
 * Names and ids are escaped: a store may hold any, and none may be read as another.
 */
export function spoolRemovals(spool: LineSpool, { path, versions }: Removals): void {
  const [first] = versions;
  if (first === undefined) return;
  let text = `/${fieldFromName(path)}\t${fieldFromName(first.name)}`;
  for (const version of versions) text += `\n${versionFields(version)}`;
  spool.write(text);
}

/** Reads what spoolRemovals wrote; of versions, what is needed to remove them and to tell of it. */
export async function* readRemovals(file: string): Pages<Removals> {
  let open: { path: RawPath; name: RawPath; versions: StoredVersion[] } | undefined;
  for await (const lines of linePages(createReadStream(file))) {
    const page: Removals[] = [];
    for (const line of lines) {
      const fields = line.split("\t");
      if (line.startsWith("/")) {
        if (open !== undefined) page.push(open);
        const [path = "", name = ""] = fields;
        open = { path: nameFromField(path.slice(1)), name: nameFromField(name), versions: [] };
      } else if (open !== undefined) open.versions.push(versionFromFields(open.name, fields));
    }
    if (page.length > 0) yield page;
  }
  if (open !== undefined) yield [open];
}

/** What of a version is needed to act on it and to tell of it, but for its name: five fields of a line. */
export function versionFields({ kind, id, size, storedAt, modifiedAt }: StoredVersion): string {
  return `${kind === "file" ? "f" : "m"}\t${encodeURIComponent(id)}\t${size}\t${storedAt}\t${modifiedAt ?? ""}`;
}

/** The version of which versionFields made fields. */
export function versionFromFields(name: RawPath, fields: readonly string[]): StoredVersion {
  const [kind, id = "", size, storedAt, modifiedAt = ""] = fields;
  return {
    name,
    id: decodeURIComponent(id),
    kind: kind === "m" ? "marker" : "file",
    size: Number(size),
    storedAt: Number(storedAt),
    modifiedAt: modifiedAt === "" ? undefined : Number(modifiedAt),
  };
}
