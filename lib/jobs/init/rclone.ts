import { totalmem } from "node:os";
import { resolve } from "node:path";
import { configFile } from "../../rclone/configfile.ts";
import { childEnvironment } from "../../rclone/environment.ts";
import { featuresOf, findProgram, probe } from "../../rclone/program.ts";
import { readRemotes } from "../../rclone/remotes.ts";
import type { Remotes } from "../../rclone/resolve.ts";
import type { Rclone } from "../../rclone/run.ts";
import type { World } from "../session.ts";

/** rclone before there is a backup that it serves. */
export interface OpenRclone {
  readonly rclone: Rclone;
  readonly remotes: Remotes;
  /** Absolute path of its configuration, which need not exist. */
  readonly config: string;
}

/**
 * Finds rclone and asks it for its remotes. A configuration that was named need not exist yet. Throws
 * where rclone is missing or too old, or can't read its configuration.
 */
export async function openRclone(
  rcloneConfig: string | undefined,
  { env, cwd, signal }: World,
): Promise<OpenRclone> {
  const named = rcloneConfig === undefined ? undefined : resolve(cwd, rcloneConfig);
  const rclone: Rclone = {
    program: await findProgram("rclone", env),
    env: childEnvironment(env, totalmem()).env,
    common: [...(named === undefined ? [] : ["--config", named]), "--ask-password=false"],
  };
  const { remotes, version } = await readRemotes(rclone, signal);
  if (version === undefined) await probe(rclone, signal);
  else featuresOf(rclone.program, version);
  return { rclone, remotes, config: named ?? (await configFile(rclone, signal)) };
}
