import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failed, interrupted } from "../../errors.ts";
import { copyOneArgs } from "../../rclone/files.ts";
import { extend } from "../../rclone/resolve.ts";
import { runRclone } from "../../rclone/run.ts";
import { probeDestination } from "../backup/probe.ts";
import type { Session } from "../session.ts";

/** How long writing, reading and deleting one small file may take, in milliseconds. */
const patience = 180_000;

/**
 * Writes a small file into the destination, reads it back, compares it and deletes it. Throws failed
 * for what does not work. `token` makes name and content its own.
 */
export async function tryDestination(session: Session, token: string): Promise<void> {
  const { rclone, destination, tuning, world } = session;
  const late = AbortSignal.timeout(patience);
  const signal = AbortSignal.any([world.signal, late]);
  const down = await probeDestination(session, signal);
  if (down !== undefined)
    throw failed(down, { hint: "is it switched on and reachable from here?" });
  const scratch = await mkdtemp(join(tmpdir(), "rclone-backups-"));
  const file = extend(destination, `.rclone-backups-test-${token}`);
  const content = `written by rclone-backups init to see that it can be read: ${token}`;
  const act = async (what: string, args: string[], onLine?: (line: string) => void) => {
    const { code, lastError } = await runRclone(rclone, { args, signal, onLine });
    if (code === 0) return;
    throw failed(
      `destination: expected to ${what} a file, found rclone exit code ${code}: ${lastError ?? "no message"}`,
      { hint: "may the key or the user of the remote write, read and delete there?" },
    );
  };
  try {
    const local = join(scratch, "test");
    await writeFile(local, content);
    await act("write", copyOneArgs(local, file, tuning));
    const lines: string[] = [];
    await act("read", ["cat", "--use-json-log", file], (line) => lines.push(line));
    if (lines.join("\n") !== content)
      throw failed("destination: expected to read what was written, found something else");
    await act("delete", ["deletefile", "--use-json-log", file]);
    // Where directories exist by themselves the one that was made is empty now.
    await runRclone(rclone, { args: ["rmdir", "--use-json-log", destination], signal });
  } catch (error) {
    if (!world.signal.aborted && late.aborted)
      throw failed(
        `destination: expected to write, read and delete a file within ${patience / 1000} s, found it still going on`,
        { cause: error },
      );
    if (world.signal.aborted) throw interrupted("stopped by a signal", { cause: error });
    throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
