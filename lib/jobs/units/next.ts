import { cronLines } from "../../service/cron.ts";
import { launchdLabel } from "../../service/launchd.ts";
import { plannedRuns, type ServiceOptions } from "../../service/options.ts";
import { shellWords } from "../../units/shellwords.ts";

export type UnitsKind = "systemd" | "cron" | "launchd";

/** What to type, a line each, once the files are in their places. */
export function nextSteps(
  kind: UnitsKind,
  options: ServiceOptions,
  paths: readonly string[],
): string[] {
  if (kind === "systemd") return systemd(options);
  if (kind === "launchd") return launchd(options, paths);
  return options.scope === "user"
    ? ["crontab -e    # and add these lines:", ...cronLines(options).map((line) => `  ${line}`)]
    : [];
}

/** What makes the directory of a log that whoever runs the backups writes to. */
export function logDirectoryStep({ scope, user }: ServiceOptions, directory: string): string {
  const owner = scope === "system" && user !== "root" ? ["-o", user] : [];
  const make = ["install", "-d", "-m", "0700", ...owner, directory];
  // install would change the mode of one that is there.
  return `test -d ${shellWords([directory])} || ${shellWords(make)}`;
}

function systemd({ scope, schedules }: ServiceOptions): string[] {
  const systemctl = scope === "system" ? "systemctl" : "systemctl --user";
  const journal = scope === "system" ? "journalctl -u" : "journalctl --user -u";
  const runs = plannedRuns(schedules).map(({ name }) => name);
  const [first = ""] = runs;
  return [
    `${systemctl} daemon-reload`,
    `${systemctl} enable --now ${runs.map((name) => `${name}.timer`).join(" ")}`,
    ...(scope === "user" ? ["loginctl enable-linger    # or timers stop when you log out"] : []),
    `${systemctl} start ${first}.service    # a first run, now`,
    `${systemctl} status ${first}.service    # what it is doing; ${journal} ${first} for all of it`,
  ];
}

function launchd({ scope, schedules }: ServiceOptions, paths: readonly string[]): string[] {
  const domain = scope === "system" ? "system" : "gui/$(id -u)";
  const lists = paths.filter((path) => path.endsWith(".plist"));
  const [first] = plannedRuns(schedules);
  return [
    ...lists.map((path) => `launchctl bootstrap ${domain} ${shellWords([path])}`),
    ...(first === undefined
      ? []
      : [`launchctl kickstart ${domain}/${launchdLabel(first)}    # a first run, now`]),
  ];
}

/** What to type to be rid of files that an earlier call wrote and that serve nothing any more. */
export function removalSteps(
  kind: UnitsKind,
  { scope }: ServiceOptions,
  obsolete: readonly string[],
): string[] {
  if (obsolete.length === 0) return [];
  const names = obsolete.map((path) => path.replace(/^.*\//, ""));
  const timers = names.filter((name) => name.endsWith(".timer"));
  const systemctl = scope === "system" ? "systemctl" : "systemctl --user";
  const domain = scope === "system" ? "system" : "gui/$(id -u)";
  return [
    ...(timers.length === 0 ? [] : [`${systemctl} disable --now ${timers.join(" ")}`]),
    ...(kind === "launchd"
      ? names.map((name) => `launchctl bootout ${domain}/${name.replace(/\.plist$/, "")}`)
      : []),
    `rm ${shellWords(obsolete)}    # serves nothing any more`,
  ];
}
