import { exitCodes } from "../errors.ts";
import type { ListedVersion, RestoreResult } from "../jobs/restore/options.ts";
import type { PlannedFile } from "../restore/plan.ts";
import type { Count } from "../restore/tally.ts";
import { formatBytes, formatFiles } from "../units/format.ts";
import { formatExactMoment } from "../units/moment.ts";
import { textFromRaw } from "../units/rawpath.ts";
import { pathBytes, pathJson } from "./names.ts";

/** How results are shown. */
export interface RestoreView {
  readonly timeZone: string;
  readonly toTerminal: boolean;
}

/** Versions, a line each: since when, until when, size and path. */
export function versionPage(page: readonly ListedVersion[], view: RestoreView): Buffer {
  return lines(
    page.map(({ path, version }) => {
      const until =
        version.until === undefined
          ? "current"
          : `${version.end} ${shown(version.ended ?? version.until, view)}${version.doubtful ? "?" : ""}`;
      const from = `${shown(version.from, view)}${version.stored.uncertain === true ? "?" : ""}`;
      const text = `${from.padEnd(31)} ${until.padEnd(42)} ${String(version.size).padStart(12)} `;
      return [Buffer.from(text), pathBytes(path, view.toTerminal)];
    }),
  );
}

/** Versions as NDJSON. */
export function versionNdjson(page: readonly ListedVersion[]): string {
  return ndjson(page.map(({ path, version }) => ({ ...pathJson(path), ...versionJson(version) })));
}

/** What a dry run would write, a line a file: when its version was stored, size and name. */
export function planPage(page: readonly PlannedFile[], view: RestoreView): Buffer {
  return lines(
    page.map(({ target, version }) => [
      Buffer.from(`restore ${shown(version.from, view)} ${String(version.size).padStart(12)} `),
      pathBytes(target, view.toTerminal),
    ]),
  );
}

/** The result for a reader. */
export function restoreLines(result: RestoreResult): string {
  const { restored, already, verified, unverified, dryRun, target } = result;
  const there = already.files === 0 ? "" : `; ${formatFiles(already.files)} already there`;
  const first = `${dryRun ? "would restore" : "restored"} ${sum(restored)} to ${target}${there}\n`;
  if (dryRun || restored.files === 0) return first;
  const proved = `verified against the store's checksums: ${sum(verified)}\n`;
  const rest = `unverified (size is right, and time where the store tells it; no checksum was compared): ${sum(unverified)}\n`;
  return `${first}${verified.files === 0 ? "" : proved}${unverified.files === 0 ? "" : rest}`;
}

/** The files that failed, with the reasons. */
export function failureText({ failures, failureCount }: RestoreResult): string {
  const named = failures.slice(0, 20).map(({ path, reason }) => `${textFromRaw(path)}: ${reason}`);
  const more = failureCount - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more; --json names up to 1000`] : [])].join("\n");
}

/** The document of --json. */
export function restoreJson(result: RestoreResult): Record<string, unknown> {
  return {
    ...{ version: 1, kind: "restore", name: result.name, outcome: result.outcome },
    exit_code: exitCodes[result.outcome],
    ...{ target: result.target, as_of: result.asOf?.toISOString() ?? null, dry_run: result.dryRun },
    ...{ planned: count(result.planned), restored: count(result.restored) },
    ...{ already_there: count(result.already), verified: count(result.verified) },
    ...{ unverified: count(result.unverified), uncertain: result.uncertain },
    outdated: result.outdated,
    failures: result.failures.map(({ path, reason }) => ({ ...pathJson(path), reason })),
    failure_count: result.failureCount,
  };
}

/** Files that a dry run would write, as NDJSON. */
export function planNdjson(page: readonly PlannedFile[]): string {
  return ndjson(
    page.map(({ path, target, version, uncertain, outdated }) => ({
      ...pathJson(path),
      target: pathJson(target).path,
      ...versionJson(version),
      uncertain,
      outdated,
    })),
  );
}

function versionJson({
  stored,
  size,
  from,
  until,
  ended,
  end,
  doubtful,
}: ListedVersion["version"]): object {
  return {
    ...{
      size,
      modified: iso(stored.modifiedAt),
      stored: iso(from),
      until: iso(ended ?? until),
      end,
    },
    ...{ id: stored.id, uncertain: stored.uncertain === true || doubtful },
  };
}

function iso(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}

/** A time that, given back as --as-of, means this version. */
function shown(time: number, { timeZone }: RestoreView): string {
  return formatExactMoment(new Date(time), timeZone);
}

function sum({ files, bytes }: Count): string {
  return `${formatFiles(files)} (${formatBytes(bytes)})`;
}

function count({ files, bytes }: Count): Count {
  return { files, bytes };
}

function ndjson(items: readonly object[]): string {
  return items.map((item) => `${JSON.stringify(item)}\n`).join("");
}

function lines(page: readonly Buffer[][]): Buffer {
  return Buffer.concat(page.flatMap((line) => [...line, Buffer.from("\n")]));
}
