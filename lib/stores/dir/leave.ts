import { rm } from "node:fs/promises";
import { join } from "node:path";
import { failed } from "../../errors.ts";
import type { Pages } from "../../manifest/pages.ts";
import {
  writeRunManifest,
  type RunLine,
  type RunManifestHeader,
  type RunManifestKind,
} from "../../manifest/runs.ts";
import { copyOneArgs } from "../../rclone/files.ts";
import { runRclone } from "../../rclone/run.ts";
import { below, type DirContext } from "./context.ts";
import { manifestName } from "./runs.ts";

/**
 * Leaves a run's manifest beside the dated directories. A cut one is told apart by its missing last
 * line. Throws when it can't be stored.
 */
export async function storeRunManifest(
  context: DirContext,
  kind: RunManifestKind,
  header: RunManifestHeader,
  lines: Pages<RunLine>,
): Promise<void> {
  const name = manifestName(header.run, kind);
  const local = join(context.scratch, name);
  await writeRunManifest(local, kind, header, lines);
  const { code, lastError } = await runRclone(context.rclone, {
    args: copyOneArgs(local, below(context.history, name), context.tuning),
    signal: context.signal,
  });
  await rm(local, { force: true });
  if (code !== 0)
    throw failed(
      `history: expected to store ${name} beside the old versions, found rclone exit code ${code}: ${lastError ?? "no message"}`,
      {
        hint: "without it nobody could tell later when files came; see that the destination can be written to",
      },
    );
}
