import { createReadStream } from "node:fs";
import { join } from "node:path";
import { systemCode } from "../../errors.ts";
import type { FileHistory } from "../../history/history.ts";
import { DamagedManifest, readManifest } from "../../manifest/manifest.ts";
import { merge, type Pages } from "../../manifest/pages.ts";
import { linePages } from "../../manifest/textpages.ts";
import { sortFile } from "../../process/sort.ts";
import { LineSpool } from "../../process/spool.ts";
import { readRecord } from "../../state/record.ts";
import { rawFromBytes, type RawPath } from "../../units/rawpath.ts";
import type { OpenHistory } from "../openhistory.ts";

/**
 * Passes histories on, and in the end tells what the manifest of the last backup names below the
 * directory and the store knows nothing of, or not what became of it. Tells nothing where the manifest
 * isn't known to say what the destination holds. The store's order may be another one than the manifest's.
 */
export async function* againstManifest(
  { files, scratch, session }: Pick<OpenHistory, "files" | "scratch" | "session">,
  histories: Pages<FileHistory>,
  directory: RawPath,
  onMissing: (path: RawPath) => void,
): Pages<FileHistory> {
  const { record } = await readRecord(files.record, { setAside: false });
  if (record === undefined || !record.trusted || record.running !== undefined) {
    yield* histories;
    return;
  }
  const there = new LineSpool(join(scratch, "there"));
  let isSorted = true;
  let last: string | undefined;
  for await (const page of histories) {
    for (const file of page) {
      if (!isAccountedFor(file)) continue;
      isSorted &&= last === undefined || last < file.path;
      last = file.path;
      there.write(file.path);
    }
    yield page;
  }
  there.close();
  const sorted = isSorted ? there.file : `${there.file}.sorted`;
  if (!isSorted) await sortFile(there.file, sorted, scratch, { signal: session.world.signal });
  const missing = await spoolMissing(files.manifest, directory, sorted, join(scratch, "missing"));
  if (missing !== undefined)
    for await (const page of readPaths(missing)) for (const { path } of page) onMissing(path);
}

/** Whether it is there, or the store knows that it was deleted. */
function isAccountedFor({ current, entries }: FileHistory): boolean {
  const [newest] = entries;
  return current !== undefined || (newest?.kind === "marker" && newest.doubtful !== true);
}

/** A damaged manifest tells nothing, and only its end says that it is one. */
async function spoolMissing(
  manifest: string,
  directory: RawPath,
  there: string,
  output: string,
): Promise<string | undefined> {
  const missing = new LineSpool(output);
  try {
    for await (const page of merge(below(manifest, directory), readPaths(there)))
      for (const [named, found] of page)
        if (named !== undefined && found === undefined) missing.write(named.path);
    return output;
  } catch (error) {
    if (!(error instanceof DamagedManifest) && systemCode(error) !== "ENOENT") throw error;
    return undefined;
  } finally {
    missing.close();
  }
}

interface Named {
  readonly path: RawPath;
}

async function* below(manifest: string, directory: RawPath): Pages<Named> {
  for await (const page of readManifest(manifest))
    yield directory === "" ? page : page.filter(({ path }) => path.startsWith(directory));
}

async function* readPaths(file: string): Pages<Named> {
  for await (const lines of linePages(createReadStream(file)))
    yield lines.map((line) => ({ path: rawFromBytes(line) }));
}
