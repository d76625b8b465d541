import { posix } from "node:path";
import type { PlannedRun, ServiceFile, ServiceOptions } from "./options.ts";
import { plannedRuns, usualTime } from "./options.ts";
import { sealed, sealHere } from "./seal.ts";
import { xmlText } from "./words.ts";

type Value =
  | string
  | number
  | boolean
  | readonly string[]
  | Readonly<Record<string, string | number>>;

/** The folder of property lists, of the machine or of a user. */
function launchdDirectory({ scope, home }: Pick<ServiceOptions, "scope" | "home">): string {
  return scope === "system" ? "/Library/LaunchDaemons" : posix.join(home, "Library/LaunchAgents");
}

/** By which launchctl knows a planned run. */
export function launchdLabel({ name }: PlannedRun): string {
  return `local.${name}`;
}

/** launchd throws output away unless it is told where to. */
export function launchdLog({ scope, home, logFile }: ServiceOptions): string {
  if (logFile !== undefined) return logFile;
  return scope === "system"
    ? "/var/log/rclone-backups.log"
    : posix.join(home, "Library/Logs/rclone-backups.log");
}

/** A property list for each planned run. Throws a usage failure for a path that none can hold. */
export function launchdFiles(options: ServiceOptions): ServiceFile[] {
  return plannedRuns(options.schedules).map((run) => ({
    path: posix.join(launchdDirectory(options), `${launchdLabel(run)}.plist`),
    mode: 0o644,
    text: sealed(propertyList(entries(run, options))),
  }));
}

function entries(run: PlannedRun, options: ServiceOptions): Readonly<Record<string, Value>> {
  const { hour, minute } = options.at ?? usualTime;
  const log = launchdLog(options);
  return {
    Label: launchdLabel(run),
    ProgramArguments: [...options.command, ...run.args],
    ...(options.scope === "system" ? { UserName: options.user } : {}),
    EnvironmentVariables: { PATH: options.path.join(":"), ...options.env },
    // One that was slept through is made up for when the machine wakes up.
    ...(run.every === "day"
      ? { StartCalendarInterval: { Hour: hour, Minute: minute } }
      : { StartInterval: 900 }),
    ProcessType: "Background",
    LowPriorityIO: true,
    Nice: 10,
    Umask: 0o077,
    ExitTimeOut: 120,
    StandardOutPath: log,
    StandardErrorPath: log,
  };
}

function propertyList(values: Readonly<Record<string, Value>>): string {
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    `<!-- ${sealHere} -->`,
    '<plist version="1.0">',
    ...element(values),
    "</plist>",
  ];
  return `${lines.join("\n")}\n`;
}

function element(value: Value | Readonly<Record<string, Value>>): string[] {
  if (typeof value === "string") return [`<string>${xmlText(value)}</string>`];
  if (typeof value === "number") return [`<integer>${value}</integer>`];
  if (typeof value === "boolean") return [value ? "<true/>" : "<false/>"];
  if (isList(value)) return ["<array>", ...value.flatMap(element).map(indented), "</array>"];
  const inner = Object.entries(value).flatMap(([key, one]) => [
    `<key>${xmlText(key)}</key>`,
    ...element(one),
  ]);
  return ["<dict>", ...inner.map(indented), "</dict>"];
}

function isList(value: object): value is readonly string[] {
  return Array.isArray(value);
}

function indented(line: string): string {
  return `  ${line}`;
}
