import prettyBytes from "pretty-bytes";
import { formatBytes } from "../../lib/units/format.ts";
import type { Machine } from "./machine.ts";
import { median } from "./measure.ts";
import type { CaseName, Options } from "./options.ts";

/** Megabytes of 1,000,000 bytes. */
export const MB = 1e6;

/** One figure and what it was to be. */
export interface Row {
  readonly case: CaseName;
  readonly what: string;
  /** Version of the rclone that took part. */
  readonly rclone: string | null;
  readonly unit: "times" | "seconds" | "elapsed" | "bytes" | "rate";
  /** The figure that is judged: of medians, or the highest of all runs for bytes. */
  readonly measured: number;
  /** The median of the same figure of each pair. */
  readonly of_pairs: number | null;
  readonly at_most: number | null;
  readonly at_least: number | null;
  /** Null where nothing is demanded. */
  readonly holds: boolean | null;
  /** Seconds, bytes, or segments a second, of every run. */
  readonly ours: readonly number[];
  readonly bare: readonly number[];
}

export type Target = { atMost: number } | { atLeast: number } | "none";

/** Fills in whether the figure is what it was to be. */
export function row(
  base: Omit<Row, "at_most" | "at_least" | "holds" | "of_pairs"> & { of_pairs?: number },
  target: Target,
): Row {
  const atMost = target !== "none" && "atMost" in target ? target.atMost : null;
  const atLeast = target !== "none" && "atLeast" in target ? target.atLeast : null;
  return {
    ...base,
    of_pairs: base.of_pairs ?? null,
    at_most: atMost,
    at_least: atLeast,
    holds:
      target === "none"
        ? null
        : (atMost === null || base.measured <= atMost) &&
          (atLeast === null || base.measured >= atLeast),
  };
}

/** The highest peak of all runs. */
export function memoryRow(
  base: Pick<Row, "case" | "what" | "rclone">,
  peaks: readonly number[],
  target: Target = "none",
): Row {
  return row(
    { ...base, unit: "bytes", ours: peaks, bare: [], measured: Math.max(...peaks) },
    target,
  );
}

/** A count as a reader likes it. */
export function number(value: number): string {
  return value.toLocaleString("en-US");
}

const headings = ["what", "rclone", "ours", "compared with", "measured", "demanded", "holds"];

/** A Markdown table, its columns aligned for a terminal. */
export function table(rows: readonly Row[]): string {
  const lines = [headings, ...rows.map(cells)];
  const widths = headings.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  const text = lines.map(
    (line) => `| ${line.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`,
  );
  text.splice(1, 0, `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`);
  return `${text.join("\n")}\n`;
}

function cells(found: Row): string[] {
  const { unit, measured, of_pairs: ofPairs, at_most: atMost, at_least: atLeast } = found;
  const figure = format(unit, measured);
  return [
    found.what,
    found.rclone ?? "",
    unit === "bytes" || unit === "rate" ? "" : seconds(median(found.ours)),
    found.bare.length === 0 ? "" : seconds(median(found.bare)),
    ofPairs === null ? figure : `${figure} (pairs: ${format(unit, ofPairs)})`,
    atMost !== null
      ? `at most ${format(unit, atMost)}`
      : atLeast !== null
        ? `at least ${format(unit, atLeast)}`
        : "",
    found.holds === null ? "" : found.holds ? "yes" : "no",
  ];
}

function format(unit: Row["unit"], value: number): string {
  if (unit === "bytes") return prettyBytes(value, { maximumFractionDigits: 0 });
  if (unit === "rate") return `${number(Math.round(value))} a second`;
  if (unit === "elapsed") return seconds(value);
  return unit === "times" ? `${value.toFixed(2)} ×` : `${seconds(value)} more`;
}

function seconds(value: number): string {
  return Math.abs(value) < 1 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(2)} s`;
}

/** What it ran on, for a reader. */
export function machineLines(machine: Machine, runs: number): string {
  const { rclone } = machine;
  return [
    `Measured on ${machine.cpu}, ${machine.cores} cores, ${formatBytes(machine.memory_bytes)} of memory,`,
    `${machine.kernel}, ${machine.file_system}, Node ${machine.node}, rclone ${Object.values(rclone).join(" and ")}, rclone-backups ${machine.rclone_backups};`,
    `medians of ${runs} ${runs === 1 ? "run" : "runs"}, warm caches; memory is the highest of all runs.${runs < 5 ? " Fewer than five runs are no result." : ""}`,
    "",
  ].join("\n");
}

/** The document of --json. */
export function benchJson(
  rows: readonly Row[],
  machine: Machine,
  options: Options,
  at: Date,
): string {
  const { runs, files, many, verifyBytes, versions, mostVersions } = options;
  const { restoreFiles, restoreBytes } = options;
  const document = {
    version: 1,
    kind: "benchmark",
    measured_at: at.toISOString(),
    machine,
    settings: {
      ...{ runs, files, many, versions, most_versions: mostVersions ?? null },
      ...{ verify_bytes: verifyBytes, restore_files: restoreFiles, restore_bytes: restoreBytes },
    },
    results: rows,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
