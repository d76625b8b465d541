import type { BackupState, BackupStatus, Remark, SuiteStatus } from "../jobs/status/value.ts";
import { formatBytes, formatSpan } from "../units/format.ts";
import { sizeBars } from "./bars.ts";
import { escapeText } from "./escape.ts";
import type { ResultLook } from "./terminal.ts";

const barsShown = 10;

interface Column {
  readonly title: string;
  readonly right?: boolean;
  /** The column with the highest number goes first where there is too little room; 0 stays. */
  readonly spare: number;
  readonly cell: (backup: BackupStatus, now: number, look: ResultLook) => string;
}

const columns: readonly Column[] = [
  { title: "backup", spare: 0, cell: ({ name }) => escapeText(name) },
  { title: "state", spare: 0, cell: ({ state }) => state },
  {
    title: "last run",
    spare: 0,
    cell: ({ last }, now) => (last === undefined ? "" : `${spanTo(now, last.finishedAt)} ago`),
  },
  {
    title: "took",
    right: true,
    spare: 5,
    cell: ({ last }) => (last === undefined ? "" : tookText(last)),
  },
  {
    title: "size",
    right: true,
    spare: 2,
    cell: ({ last, good }) => {
      const bytes = last?.source?.bytes ?? good?.bytes;
      return bytes === undefined ? "" : formatBytes(bytes);
    },
  },
  {
    title: "sizes",
    spare: 3,
    cell: ({ runs }, _, { unicode }) => sizeBars(runs.slice(-barsShown), unicode),
  },
  {
    title: "verified",
    right: true,
    spare: 1,
    cell: ({ verified }) => {
      const month = verified?.within.find(({ days }) => days === 30);
      return month === undefined ? "" : percent(month.bytes);
    },
  },
  {
    title: "next",
    spare: 4,
    cell: ({ nextAt }, now) => (nextAt === undefined ? "" : `in ${spanTo(now, nextAt)}`),
  },
];

/** A line a backup, then what has to be said of some, then how many are how. */
export function statusTable(status: SuiteStatus, look: ResultLook): string {
  const now = Date.parse(status.at);
  const rows = status.backups.map((backup) => columns.map(({ cell }) => cell(backup, now, look)));
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...rows.map((row) => width(row[at] ?? ""))),
  );
  const shown = fitting(widths, look.columns);
  const line = (cells: readonly string[], paint: (text: string, at: number) => string): string =>
    shown
      .map((at) => {
        const text = cells[at] ?? "";
        const space = " ".repeat((widths[at] ?? 0) - width(text));
        const word = paint(text, at);
        return columns[at]?.right === true ? space + word : word + space;
      })
      .join("  ")
      .trimEnd();
  const lines = [
    line(
      columns.map(({ title }) => title),
      (text) => painted(text, 2, look),
    ),
    ...status.backups.map((backup, row) =>
      line(rows[row] ?? [], (text, at) =>
        columns[at]?.title === "state" ? paintedState(backup.state, look) : text,
      ),
    ),
    ...remarksOf(status, look),
    ...sumOf(status, now),
  ];
  return lines.map((text) => `${text}\n`).join("");
}

/** The columns that there is room for. */
function fitting(widths: readonly number[], room: number | undefined): readonly number[] {
  let shown = columns.map((_, at) => at);
  const total = (): number => shown.reduce((sum, at) => sum + (widths[at] ?? 0) + 2, 0) - 2;
  const dispensable = columns
    .map(({ spare }, at) => ({ spare, at }))
    .filter(({ spare }) => spare > 0)
    .toSorted((a, b) => b.spare - a.spare);
  for (const { at } of dispensable) {
    if (room === undefined || total() <= room) break;
    shown = shown.filter((kept) => kept !== at);
  }
  return shown;
}

function remarksOf({ backups, remarks }: SuiteStatus, look: ResultLook): string[] {
  const lines = backups.flatMap((backup) =>
    backup.remarks.map(
      (remark) => `${painted(escapeText(backup.name), 1, look)}: ${firstLine(remark)}`,
    ),
  );
  const all = [...remarks.map(firstLine), ...lines];
  return all.length === 0 ? [] : ["", ...all];
}

/** A message may list many files: the status of one backup shows all of it. */
function firstLine({ text, hint }: Remark): string {
  const [first = "", ...more] = text.split("\n");
  const line = escapeText(more.length === 0 ? first : `${first.replace(/:$/, "")} …`);
  return hint === undefined ? line : `${line}\n  ${escapeText(hint)}`;
}

function sumOf({ backups, run }: SuiteStatus, now: number): string[] {
  const counts = new Map<BackupState, number>();
  for (const { state } of backups) counts.set(state, (counts.get(state) ?? 0) + 1);
  const parts = [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([state, count]) => `${count} ${state}`);
  const lines = backups.length > 1 ? ["", `${backups.length} backups: ${parts.join(", ")}`] : [];
  if (run !== undefined && backups.length > 1)
    lines.push(
      `last run of all: ${spanTo(now, run.finishedAt)} ago, ${run.outcome}, took ${tookText(run)}`,
    );
  return lines;
}

const colors: Readonly<Partial<Record<BackupState, number>>> = {
  good: 32,
  running: 36,
  warning: 33,
  skipped: 33,
  partial: 33,
  paused: 33,
};

/** The state's word in its colour: red unless something milder holds. */
export function paintedState(state: BackupState, look: ResultLook): string {
  return painted(state, colors[state] ?? 31, look);
}

/** Text in a colour or style, where there may be any. */
export function painted(text: string, style: number, { colored }: ResultLook): string {
  return colored && text !== "" ? `\u001B[${style}m${text}\u001B[0m` : text;
}

/** How long something took. */
export function tookText(run: { readonly startedAt: string; readonly finishedAt: string }): string {
  return formatSpan((Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1000);
}

/** How far a time is from now. */
export function spanTo(now: number, time: string): string {
  return formatSpan(Math.abs(Date.parse(time) - now) / 1000);
}

/** A share for a reader, never rounded up to all. */
export function percent(share: number): string {
  // Sums of shares are off by a little.
  const tenths = Math.min(Math.floor(share * 1000 + 1e-6), 999);
  return share >= 1 ? "100 %" : `${(tenths / 10).toFixed(1)} %`;
}

function width(text: string): number {
  return Array.from(text).length;
}
