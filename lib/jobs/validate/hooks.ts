import type { Backup } from "../../config/backup.ts";
import { runGroup } from "../../process/group.ts";
import type { World } from "../session.ts";
import { quoted } from "../../config/problem.ts";
import type { Finding } from "./finding.ts";

/** A command for /bin/sh -c, by the key or setting that has it. */
export type NamedCommand = readonly [key: string, command: string | undefined];

/** The commands of a backup. */
export function commandsOf({ hooks, schedule, notify }: Backup): NamedCommand[] {
  return [
    ["pre_command", hooks.pre],
    ["post_command", hooks.post],
    ["failure_command", hooks.failure],
    ["skip_unless", schedule.skipUnless],
    ["notify.command", notify.command],
  ];
}

/**
 * Whether the shell can read each command, and finds the program that it begins with. Nothing of the
 * commands is run.
 */
export async function checkCommands(
  commands: readonly NamedCommand[],
  world: World,
): Promise<Finding[]> {
  const found = await Promise.all(
    commands.map(async ([key, command]) =>
      command === undefined ? undefined : checkCommand(key, command, world),
    ),
  );
  return found.filter((finding) => finding !== undefined);
}

/** The first word where it is a plain one, no assignment and nothing that the shell expands. */
const firstWord = /^\s*([\w./+-]+)(?=[\s;&|<>)]|$)/;

async function checkCommand(
  key: string,
  command: string,
  world: World,
): Promise<Finding | undefined> {
  const told: string[] = [];
  const readable = await shell(["-n", "-c", command], world, (line) => told.push(line));
  if (readable !== 0)
    return mistake(
      `${key}: expected a command that /bin/sh can read, found a mistake: ${told[0] ?? "no message"}`,
      "run it by hand with sh -n -c",
    );
  const [, word] = firstWord.exec(command) ?? [];
  if (word === undefined) return undefined;
  const known = await shell(["-c", 'command -v -- "$1" >/dev/null', "sh", word], world);
  if (known === 0) return undefined;
  return mistake(
    `${key}: expected a program ${quoted(word)}, found none in PATH`,
    "install it, or write its whole path; cron and systemd have a shorter PATH than a terminal",
  );
}

function mistake(text: string, hint: string): Finding {
  return { level: "error", check: "hooks", text, hint };
}

async function shell(
  args: readonly string[],
  { env, signal, cwd }: World,
  onStderr?: (line: string) => void,
): Promise<number | undefined> {
  const defined = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const command = ["/bin/sh", ...args];
  return (await runGroup({ command, env: Object.fromEntries(defined), cwd, signal, onStderr }))
    .code;
}
