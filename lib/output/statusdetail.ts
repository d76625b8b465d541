import type { BackupStatus, Count, SuiteStatus, Verified } from "../jobs/status/value.ts";
import { formatBytes, formatFiles } from "../units/format.ts";
import { formatMoment } from "../units/moment.ts";
import { textFromRaw } from "../units/rawpath.ts";
import { sizeBars } from "./bars.ts";
import { escapeLines, escapeText } from "./escape.ts";
import { painted, paintedState, percent, spanTo, tookText } from "./statustext.ts";
import type { ResultLook } from "./terminal.ts";

const barsShown = 60;
const pathsShown = 20;

interface Scene {
  readonly now: number;
  readonly zone: string;
  readonly look: ResultLook;
}

/** All that is known of each backup, a paragraph each; times in a time zone. */
export function statusDetails(status: SuiteStatus, zone: string, look: ResultLook): string {
  const scene = { now: Date.parse(status.at), zone, look };
  return status.backups.map((backup) => paragraph(backup, scene)).join("\n");
}

function paragraph(backup: BackupStatus, scene: Scene): string {
  const { look } = scene;
  const head = `${painted(escapeText(backup.name), 1, look)}: ${paintedState(backup.state, look)}`;
  const facts = [
    ...placeFacts(backup),
    ...runFacts(backup, scene),
    ...timeFacts(backup, scene),
    ...verifiedFacts(backup.verified, scene),
    ...guardFacts(backup),
  ];
  const lines = facts.map(([title, text]) => `  ${title.padEnd(12)}${text}`);
  const remarks = backup.remarks.flatMap(({ text, hint }) => [
    `  ${escapeLines(text).replaceAll("\n", "\n  ")}`,
    ...(hint === undefined ? [] : [`    ${escapeText(hint)}`]),
  ]);
  const paths = backup.differences
    .slice(0, pathsShown)
    .map((path) => `    ${escapeText(textFromRaw(path))}`);
  if (backup.differences.length > pathsShown)
    paths.push(
      `    ${look.unicode ? "…" : "..."} and ${backup.differences.length - pathsShown} more`,
    );
  return [head, ...lines, ...remarks, ...paths].map((line) => `${line}\n`).join("");
}

type Fact = readonly [title: string, text: string];

function placeFacts({ source, destination, file }: BackupStatus): Fact[] {
  const facts: Fact[] = [];
  if (source !== undefined) facts.push(["source", escapeText(source)]);
  if (destination !== undefined) facts.push(["destination", escapeText(destination)]);
  return [...facts, ["configured", escapeText(file)]];
}

function runFacts({ last, good, runs }: BackupStatus, scene: Scene): Fact[] {
  const facts: Fact[] = [];
  if (last !== undefined) {
    const { result, exitCode } = last;
    facts.push([
      "last run",
      `${moment(last.finishedAt, scene)}: ${result}${exitCode === 0 ? "" : ` (${exitCode})`}, took ${tookText(last)}`,
    ]);
    if (last.source !== undefined) facts.push(["", `${amount(last.source)} in the source`]);
    const { added, changed, deleted } = last;
    if (added !== undefined && changed !== undefined && deleted !== undefined)
      facts.push([
        "",
        `${change(added, "new")}, ${change(changed, "changed")}, ${change(deleted, "deleted")}`,
      ]);
  }
  if (good !== undefined)
    facts.push(["last good", `${moment(good.finishedAt, scene)}: ${amount(good)}`]);
  if (runs.length > 1) facts.push(["sizes", sizeBars(runs.slice(-barsShown), scene.look.unicode)]);
  return facts;
}

function timeFacts({ schedule, nextAt }: BackupStatus, scene: Scene): Fact[] {
  if (schedule === undefined || nextAt === undefined) return [];
  const zone = schedule.timeZone === undefined ? "" : ` ${schedule.timeZone}`;
  const when = formatMoment(new Date(nextAt), scene.zone);
  return [["next run", `${when} (in ${spanTo(scene.now, nextAt)}), by ${schedule.cron}${zone}`]];
}

function verifiedFacts(verified: Verified | undefined, scene: Scene): Fact[] {
  if (verified === undefined) return [];
  const shares = verified.within.map(
    ({ days, files, bytes }) =>
      `${days === 1 ? "1 day" : `${days} days`}: ${percent(bytes)} of the bytes, ${percent(files)} of the files`,
  );
  const facts = shares.map((text, at): Fact => [at === 0 ? "verified" : "", `within ${text}`]);
  const { all, hashAt } = verified;
  if ("since" in all) facts.push(["", `all of it since ${day(all.since)}`]);
  if ("date" in all) facts.push(["", `all of it will have been by ${day(all.date)}`]);
  if (hashAt !== undefined) facts.push(["checksums", moment(hashAt, scene)]);
  return facts;
}

function guardFacts({ guard }: BackupStatus): Fact[] {
  if (guard.trusted !== false) return [];
  return [["guard", "the next run counts at the destination first"]];
}

function day(time: string): string {
  return time.slice(0, 10);
}

function moment(time: string, { now, zone }: Scene): string {
  return `${formatMoment(new Date(time), zone)} (${spanTo(now, time)} ago)`;
}

function amount({ files, bytes }: Count): string {
  return `${formatFiles(files)} (${formatBytes(bytes)})`;
}

function change({ files, bytes }: Count, what: string): string {
  return files === 0 ? `0 ${what}` : `${files} ${what} (${formatBytes(bytes)})`;
}
