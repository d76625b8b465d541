import type { PlannedRun, ServiceFile, ServiceOptions } from "./options.ts";
import { plannedRuns, usualTime } from "./options.ts";
import { sealed, sealHere } from "./seal.ts";
import { shellWords } from "../units/shellwords.ts";
import { plainText } from "./words.ts";

/** Comes after all other jobs, which may write what has to be backed up. */
const dailyScript = "/etc/cron.daily/z-rclone-backups";
const table = "/etc/cron.d/rclone-backups";

/**
 * A script for cron.daily, and lines in cron.d for what it can't do: another time, another user, and
 * looking what is due. A user's own table is no file to write to: see cronLines.
 * Throws a usage failure for a path that no line can hold.
 */
export function cronFiles(options: ServiceOptions): ServiceFile[] {
  if (options.scope === "user") return [];
  const runs = plannedRuns(options.schedules);
  const inTable = runs.filter((run) => run.every !== "day" || !suitsDaily(options));
  const daily = runs.find((run) => !inTable.includes(run));
  return [
    ...(daily === undefined ? [] : [script(daily, options)]),
    ...(inTable.length === 0 ? [] : [tableFile(inTable, options)]),
  ];
}

/** Lines for `crontab -e`. Throws a usage failure for a path that no line can hold. */
export function cronLines(options: ServiceOptions): string[] {
  return [
    ...variables(options).map(([name, value]) => `${name}=${plainText(value)}`),
    ...plannedRuns(options.schedules).map((run) => line(run, options, [])),
  ];
}

function suitsDaily({ at, user }: ServiceOptions): boolean {
  return at === undefined && user === "root";
}

function script(run: PlannedRun, options: ServiceOptions): ServiceFile {
  const lines = [
    "#!/bin/sh",
    `# ${sealHere}`,
    "# All backups, after everything else of the day. When all is well nothing is printed, so that cron",
    "# has nothing to mail.",
    ...variables(options).map(([name, value]) => `${name}=${shellWords([plainText(value)])}`),
    `export ${variables(options)
      .map(([name]) => name)
      .join(" ")}`,
    command(run, options),
  ];
  return { path: dailyScript, mode: 0o755, text: sealed(`${lines.join("\n")}\n`) };
}

function tableFile(runs: readonly PlannedRun[], options: ServiceOptions): ServiceFile {
  const lines = [
    `# ${sealHere}`,
    "SHELL=/bin/sh",
    ...variables(options).map(([name, value]) => `${name}=${plainText(value)}`),
    ...runs.map((run) => line(run, options, [plainText(options.user)])),
  ];
  return { path: table, mode: 0o644, text: sealed(`${lines.join("\n")}\n`) };
}

function line(run: PlannedRun, options: ServiceOptions, user: readonly string[]): string {
  const { hour, minute } = options.at ?? usualTime;
  // A minute after the daily run, not at the same moment: that one takes along what is due.
  const times =
    run.every === "day" ? `${minute} ${hour} * * *` : `${(minute + 1) % 15}-59/15 * * * *`;
  // cron ends the command at a percent sign.
  return [times, ...user, command(run, options).replaceAll("%", String.raw`\%`)].join(" ");
}

/**
 * With a log, cron's mail only says that something was wrong and where to read it. What is asked again in a
 * quarter of an hour may well be skipped (75): that would be a mail each time.
 */
function command(run: PlannedRun, { command: program, logFile }: ServiceOptions): string {
  const words = shellWords([...program, ...run.args].map(plainText));
  if (logFile === undefined) return `exec ${words}`;
  const log = shellWords([plainText(logFile)]);
  const unless = run.every === "quarter" ? "[ $code -eq 75 ] || " : "";
  return `${words} >>${log} 2>&1 || { code=$?; ${unless}echo ${shellWords(["rclone-backups: exit code"])} $code, see ${log} >&2; exit $code; }`;
}

function variables({ path, env }: ServiceOptions): [string, string][] {
  return Object.entries({ PATH: path.join(":"), ...env });
}
