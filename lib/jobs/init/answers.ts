import { basename } from "node:path";
import { usage } from "../../errors.ts";
import { realpathOfMissing } from "../../state/realpath.ts";
import type { World } from "../session.ts";
import { openRclone } from "./rclone.ts";
import { findTarget } from "./target.ts";

/** Letters that make a name for files and for a remote of rclone. */
const plainName = /^[A-Za-z0-9](?:[\w.-]*\w)?$/;

/** Throws a usage failure for what can't be a backup's name. */
export function checkName(name: string): void {
  if (plainName.test(name)) return;
  throw usage(
    `expected a name of letters, digits, dots, dashes and underscores, found ${JSON.stringify(name)}`,
    { hint: "such as home or photos-2026" },
  );
}

/** A name for a backup of this source, where one can be made. */
export function suggestName(source: string): string | undefined {
  const name = basename(source.replace(/^.*:/s, ""))
    .replaceAll(/[^\w.-]+/g, "-")
    .replaceAll(/^[^A-Za-z0-9]+|[^\w]+$/g, "");
  return plainName.test(name) ? name : undefined;
}

/** What may be answered to where files go. */
export interface RemoteChoice {
  /** The configured remotes. */
  readonly names: readonly string[];
  /** Throws a usage failure for a place that can't be one of the backup. */
  readonly check: (name: string, remote: string) => void;
  /** Whether files that go there are encrypted by a remote that is there already. */
  readonly isEncrypted: (name: string, remote: string) => boolean;
}

/** Asks rclone for its remotes. */
export async function remoteChoice(
  rcloneConfig: string | undefined,
  world: World,
): Promise<RemoteChoice> {
  const { remotes, rclone } = await openRclone(rcloneConfig, world);
  const context = { remotes, env: rclone.env, cwd: world.cwd, realpath: realpathOfMissing };
  return {
    names: [...remotes.keys()].toSorted(),
    check: (name, remote) => {
      if (remote === "") throw usage("expected a directory or REMOTE:PATH, found nothing");
      findTarget(name, remote, context);
    },
    isEncrypted: (name, remote) => findTarget(name, remote, context).crypt === undefined,
  };
}
