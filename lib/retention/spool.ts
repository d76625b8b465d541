import { createReadStream } from "node:fs";
import type { Pages } from "../manifest/pages.ts";
import { linePages } from "../manifest/textpages.ts";
import type { LineSpool } from "../process/spool.ts";
import type { StoredVersion } from "../stores/store.ts";
import { rawFromBytes, type RawPath } from "../units/rawpath.ts";
import type { Removals } from "./apply.ts";

/** Writes what is to be removed of one file: `/path TAB stored name`, and a line for each version. */
export function spoolRemovals(spool: LineSpool, { path, versions }: Removals): void {
  const [first] = versions;
  if (first === undefined) return;
  let text = `/${path}\t${first.name}`;
  for (const { kind, id, size, storedAt, modifiedAt } of versions)
    text += `\n${kind === "file" ? "f" : "m"}\t${encodeURIComponent(id)}\t${size}\t${storedAt}\t${modifiedAt ?? ""}`;
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
        open = { path: rawFromBytes(path.slice(1)), name: rawFromBytes(name), versions: [] };
      } else if (open !== undefined) open.versions.push(parseVersion(open.name, fields));
    }
    if (page.length > 0) yield page;
  }
  if (open !== undefined) yield [open];
}

function parseVersion(name: RawPath, fields: readonly string[]): StoredVersion {
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
