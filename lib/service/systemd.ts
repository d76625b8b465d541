import { posix } from "node:path";
import type { PlannedRun, ServiceFile, ServiceOptions, TimeOfDay } from "./options.ts";
import { plannedRuns, usualTime } from "./options.ts";
import { sandbox } from "./sandbox.ts";
import { sealed, sealHere } from "./seal.ts";
import { unitCommand, unitWord } from "./words.ts";

/** The folder of units, of the machine or of a user. */
function unitDirectory({ scope, home }: Pick<ServiceOptions, "scope" | "home">): string {
  return scope === "system" ? "/etc/systemd/system" : posix.join(home, ".config/systemd/user");
}

/**
 * A service and a timer for each planned run. Needs systemd 247, and 250 where there are credentials.
 * Throws a usage failure for a path that no unit can hold.
 */
export function systemdFiles(options: ServiceOptions): ServiceFile[] {
  const directory = unitDirectory(options);
  return plannedRuns(options.schedules).flatMap((run) => [
    file(posix.join(directory, `${run.name}.service`), service(run, options)),
    file(posix.join(directory, `${run.name}.timer`), timer(run, options)),
  ]);
}

function file(path: string, lines: readonly string[]): ServiceFile {
  return { path, mode: 0o644, text: sealed(`${[`# ${sealHere}`, ...lines].join("\n")}\n`) };
}

function service(run: PlannedRun, options: ServiceOptions): string[] {
  return [
    "# Changes belong into a file beside it: systemctl edit.",
    "",
    "[Unit]",
    `Description=${run.what}`,
    ...(options.scope === "system" ? targets : []),
    "",
    "[Service]",
    // The status line comes from systemd-notify, another process than the main one.
    "Type=notify",
    "NotifyAccess=all",
    `ExecStart=${unitCommand([...options.command, ...run.args])}`,
    ...(options.scope === "system" ? [`User=${unitWord(options.user)}`] : []),
    ...environment(options),
    ...options.credentials.map(
      ({ name, file: path }) => `LoadCredential=${unitWord(`${name}:${path}`)}`,
    ),
    ...(options.logFile === undefined ? [] : output(options.logFile)),
    "",
    "# 75: another run is at work, or a condition said skip",
    "SuccessExitStatus=75",
    "# The run ends its own children; what is left after that is killed",
    "KillMode=mixed",
    "# A hook or a store may take its time before the run says that it is ready",
    "TimeoutStartSec=infinity",
    "TimeoutStopSec=2min",
    "Nice=10",
    "IOSchedulingClass=best-effort",
    "IOSchedulingPriority=7",
    "",
    ...sandbox(options),
  ];
}

const targets = [
  "Wants=network-online.target",
  "After=network-online.target nss-lookup.target time-sync.target local-fs.target remote-fs.target",
];

/** The credential that holds the password of rclone's configuration. */
export const passwordCredential = "rclone-password";

function environment({ path, env, credentials }: ServiceOptions): string[] {
  const variables = Object.entries({ PATH: path.join(":"), ...env }).map(
    ([name, value]) => `Environment=${unitWord(`${name}=${value}`)}`,
  );
  const hasPassword = credentials.some(({ name }) => name === passwordCredential);
  return hasPassword
    ? [...variables, `Environment=RCLONE_BACKUPS_RCLONE_PASSWORD=file:%d/${passwordCredential}`]
    : variables;
}

function output(logFile: string): string[] {
  const name = posix.relative("/var/log", posix.dirname(logFile));
  const isOwn = name !== "" && !name.startsWith("..");
  return [
    // The rest of the line is the path: systemd takes no quotes here.
    ...["StandardOutput", "StandardError"].map((stream) => `${stream}=append:${unitPath(logFile)}`),
    ...(isOwn ? [`LogsDirectory=${unitWord(name)}`, "LogsDirectoryMode=0700"] : []),
  ];
}

function unitPath(path: string): string {
  const word = unitWord(path);
  return word.startsWith('"') ? path.replaceAll("%", "%%") : word;
}

function timer(run: PlannedRun, { at = usualTime }: ServiceOptions): string[] {
  return [
    "",
    "[Unit]",
    `Description=${run.what}, by time`,
    "",
    "[Timer]",
    ...(run.every === "day"
      ? [`OnCalendar=*-*-* ${clock(at)}:00`, "RandomizedDelaySec=30min", "FixedRandomDelay=yes"]
      : ["OnCalendar=*:0/15", "RandomizedDelaySec=1min", "FixedRandomDelay=yes"]),
    "# What was missed while the machine was off is made up for when it is on again",
    "Persistent=yes",
    "",
    "[Install]",
    "WantedBy=timers.target",
  ];
}

/** As 03:00. */
function clock({ hour, minute }: TimeOfDay): string {
  return [hour, minute].map((number) => String(number).padStart(2, "0")).join(":");
}
