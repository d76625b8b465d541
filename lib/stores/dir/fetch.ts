import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { failed } from "../../errors.ts";
import { LineSpool } from "../../process/spool.ts";
import { copyExactArgs } from "../../rclone/files.ts";
import { runRclone } from "../../rclone/run.ts";
import { rawFromText } from "../../units/rawpath.ts";
import { readableHere, type DirContext } from "./context.ts";
import { fetchStored } from "./storedruns.ts";

/**
 * Fetches manifests of runs, all in one call of rclone where we can't read them by ourselves, and returns the local directory that holds
 * them under their names. One that vanished meanwhile is not there. Throws when rclone fails.
 */
export async function fetchManifests(
  context: DirContext,
  names: readonly string[],
): Promise<string> {
  const directory = join(context.scratch, "manifests");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (names.length === 0) return directory;
  const stored = readableHere(context, context.history);
  if (stored !== undefined && (await fetchStored(stored, names, directory, context.signal)))
    return directory;
  const list = new LineSpool(join(context.scratch, "manifests.list"));
  for (const name of names) list.write(rawFromText(name));
  list.close();
  const { code, lastError } = await runRclone(context.rclone, {
    args: copyExactArgs(
      { from: context.history, to: directory, filesFrom: list.file },
      context.tuning,
    ),
    signal: context.signal,
  });
  if (code !== 0)
    throw failed(
      `history: expected to read the manifests of the runs, found rclone exit code ${code}: ${lastError ?? "no message"}`,
    );
  return directory;
}
