import { join } from "node:path";
import { failed } from "../../errors.ts";
import type { Entry } from "../../manifest/entry.ts";
import { merge, type Pages } from "../../manifest/pages.ts";
import { LineSpool } from "../../process/spool.ts";
import { moveBackArgs } from "../../rclone/files.ts";
import { runRclone } from "../../rclone/run.ts";
import type { RawPath } from "../../units/rawpath.ts";
import { below, type DirContext } from "./context.ts";
import { listPlace } from "./listplace.ts";

/** Files moved back to where they were, of how many, and the first of them. */
export interface PutBack {
  readonly count: number;
  readonly sample: readonly RawPath[];
}

const sampled = 5;

/**
 * Moves these files of a run's directory back to the destination, each only if it lies there and
 * nothing is at its name now. Throws when that can't be told or done.
 */
export async function putBack(
  context: DirContext,
  run: string,
  paths: Pages<RawPath>,
): Promise<PutBack> {
  const asked = new LineSpool(join(context.scratch, `put-back-${run}`));
  let any = false;
  for await (const page of paths)
    for (const path of page) {
      any = true;
      asked.write(path);
    }
  asked.close();
  if (!any) return { count: 0, sample: [] };
  const aside = await listPlace(context, "aside", below(context.history, run), {
    filesFrom: asked.file,
  });
  const there = await listPlace(context, "there", context.destination, { filesFrom: asked.file });
  return moveBack(context, run, missingFrom(there, aside));
}

/** What the one has and the other has not. */
async function* missingFrom(there: () => Pages<Entry>, aside: () => Pages<Entry>): Pages<RawPath> {
  for await (const page of merge(aside(), there()))
    yield page.flatMap(([old, now]) => (old !== undefined && now === undefined ? [old.path] : []));
}

/** Moves files of a run's directory back to the destination. Throws when one could not be moved. */
export async function moveBack(
  context: DirContext,
  run: string,
  paths: Pages<RawPath>,
): Promise<PutBack> {
  const list = new LineSpool(join(context.scratch, `holes-${run}`));
  const sample: RawPath[] = [];
  let count = 0;
  for await (const page of paths)
    for (const path of page) {
      count += 1;
      if (sample.length < sampled) sample.push(path);
      list.write(path);
    }
  list.close();
  if (count === 0) return { count, sample };
  const ends = { from: below(context.history, run), to: context.destination };
  const { code, lastError } = await runRclone(context.rclone, {
    args: moveBackArgs({ ...ends, filesFrom: list.file }, context.tuning),
    signal: context.signal,
  });
  if (code !== 0)
    throw failed(
      `history: expected to move ${count} files that were set aside back to the destination, found rclone exit code ${code}: ${lastError ?? "no message"}`,
      { hint: "they are whole in the directory of that run; the next run tries again" },
    );
  return { count, sample };
}
