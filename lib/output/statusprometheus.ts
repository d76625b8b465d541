import { exitCodes } from "../errors.ts";
import { secondsOf } from "./bars.ts";
import { backupStates, type BackupStatus, type SuiteStatus } from "../jobs/status/value.ts";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [value: number | undefined, labels?: Labels];

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly samples: (backup: BackupStatus) => readonly Sample[];
}

const metrics: readonly Metric[] = [
  {
    name: "state",
    help: "1 for the state that the backup is in, 0 for the others.",
    samples: ({ state }) => backupStates.map((each) => [each === state ? 1 : 0, { state: each }]),
  },
  {
    name: "exit_code",
    help: "What the backup adds to the exit code of rclone-backups status; 0 is good.",
    samples: ({ outcome }) => [[exitCodes[outcome]]],
  },
  {
    name: "last_run_timestamp_seconds",
    help: "When the last run ended.",
    samples: ({ last }) => [[seconds(last?.finishedAt)]],
  },
  {
    name: "last_run_exit_code",
    help: "Exit code of the last run.",
    samples: ({ last }) => [[last?.exitCode]],
  },
  {
    name: "last_run_duration_seconds",
    help: "How long the last run took.",
    samples: ({ last }) => [[last === undefined ? undefined : secondsOf(last)]],
  },
  {
    name: "last_success_timestamp_seconds",
    help: "When the last good run ended.",
    samples: ({ good }) => [[seconds(good?.finishedAt)]],
  },
  {
    name: "last_run_files",
    help: "Files in the source at the last run, and how many were new, changed or deleted.",
    samples: ({ last }) => kindsOf(last).map(([kind, count]) => [count?.files, { kind }] as const),
  },
  {
    name: "last_run_bytes",
    help: "Their bytes.",
    samples: ({ last }) => kindsOf(last).map(([kind, count]) => [count?.bytes, { kind }] as const),
  },
  {
    name: "next_run_timestamp_seconds",
    help: "When the next run is due by the schedule.",
    samples: ({ nextAt }) => [[seconds(nextAt)]],
  },
  {
    name: "overdue",
    help: "1 if the backup is overdue.",
    samples: ({ overdueSince }) => [[overdueSince === undefined ? 0 : 1]],
  },
  {
    name: "skipped_runs",
    help: "Runs in a row that were skipped.",
    samples: ({ attempt }) => [[attempt?.skippedRuns ?? 0]],
  },
  {
    name: "open_differences",
    help: "Files that a verification found different and none has proved since.",
    samples: ({ differences }) => [[differences.length]],
  },
  {
    name: "suppressed_delete_runs",
    help: "Runs in a row that deleted nothing because files could not be read.",
    samples: ({ guard }) => [[guard.suppressed?.runs ?? 0]],
  },
  {
    name: "verified_ratio",
    help: "Share of what is stored that was read back within so many days.",
    samples: ({ verified }) =>
      (verified?.within ?? []).flatMap(({ days, files, bytes }): Sample[] => [
        [bytes, { of: "bytes", days: String(days) }],
        [files, { of: "files", days: String(days) }],
      ]),
  },
];

function kindsOf(last: BackupStatus["last"]) {
  return [
    ["source", last?.source],
    ["added", last?.added],
    ["changed", last?.changed],
    ["deleted", last?.deleted],
  ] as const;
}

/**
 * The status in the text format of Prometheus, for the textfile collector of its node exporter.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function statusPrometheus({ at, run, outcome, backups }: SuiteStatus): string {
  const whole = [
    ...family("status_timestamp_seconds", "When this was written.", [[seconds(at)]]),
    ...family("status_exit_code", "Exit code of rclone-backups status; 0 is good.", [
      [exitCodes[outcome]],
    ]),
    ...family("suite_last_run_timestamp_seconds", "When the last run of all backups ended.", [
      [seconds(run?.finishedAt)],
    ]),
    ...family("suite_last_run_exit_code", "Exit code of the last run of all backups.", [
      [run === undefined ? undefined : exitCodes[run.outcome]],
    ]),
  ];
  const each = metrics.flatMap(({ name, help, samples }) =>
    family(
      name,
      help,
      backups.flatMap((backup) =>
        samples(backup).map(([value, labels]): Sample => [
          value,
          { backup: backup.name, ...labels },
        ]),
      ),
    ),
  );
  return [...whole, ...each].map((line) => `${line}\n`).join("");
}

/** The lines of one metric; what is not known is left out. */
function family(name: string, help: string, samples: readonly Sample[]): string[] {
  const full = `rclone_backups_${name}`;
  const lines = samples.flatMap(([value, labels = {}]) => {
    if (value === undefined) return [];
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return [`${full}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`];
  });
  return lines.length === 0 ? [] : [`# HELP ${full} ${help}`, `# TYPE ${full} gauge`, ...lines];
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function seconds(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time) / 1000;
}
