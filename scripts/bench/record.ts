import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { failed } from "../../lib/errors.ts";
import type { Rclone } from "../../test/helpers/rclones.ts";
import type { Command } from "./measure.ts";
import { timed } from "./measure.ts";
import type { BackupUnderTest, Place } from "./place.ts";

/** Stands in for rclone: writes down its arguments, keeps the filter file, and becomes rclone. */
function recorder(directory: string, rclone: string): string {
  return `#!/bin/sh
call=${quote(directory)}/$$
printf '%s\\0' "$@" >"$call"
before=
for word; do
  if [ "$before" = --filter-from ]; then cp -- "$word" "$call.filter" || exit 1; fi
  before=$word
done
exec ${quote(rclone)} "$@"
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * Runs rclone-backup once with a recorder in rclone's place and returns the one rclone call that
 * `isWanted` picks, to be run without us: the same flags, with the filter file as it was and output
 * files in the scratch directory.
 * Throws unless exactly one call is wanted.
 */
export async function recordCall(
  place: Place,
  rclone: Rclone,
  backup: BackupUnderTest,
  args: readonly string[],
  isWanted: (args: readonly string[]) => boolean,
): Promise<Command> {
  const directory = path.join(place.scratch, "calls");
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  const program = path.join(place.scratch, "rclone-recorder");
  await writeFile(program, recorder(directory, rclone.path), { mode: 0o755 });
  await timed(place, backup.command(...args, "--set", `rclone.program=${program}`));
  const calls: string[][] = [];
  for (const name of await readdir(directory)) {
    if (name.endsWith(".filter")) continue;
    const words = (await readFile(path.join(directory, name), "utf8")).split("\0").slice(0, -1);
    if (!isWanted(words)) continue;
    replaceValue(words, "--filter-from", path.join(directory, `${name}.filter`));
    replaceValue(words, "--combined", path.join(place.scratch, "combined"));
    calls.push(words);
  }
  const [call] = calls;
  if (call === undefined || calls.length > 1)
    throw failed(`expected one such call of rclone, found ${calls.length}`);
  return { program: rclone.path, args: call, env: place.env };
}

function replaceValue(words: string[], flag: string, value: string): void {
  const at = words.indexOf(flag);
  if (at >= 0) words[at + 1] = value;
}
