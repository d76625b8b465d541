import type { Verified } from "../jobs/status/value.ts";
import type { FinishedRun } from "../state/runs.ts";
import { formatBytes, formatFiles, formatSpan } from "../units/format.ts";
import { hasBackup, secondsOf } from "./bars.ts";
import { escapeHtml } from "./html.ts";
import { percent } from "./statustext.ts";

const [wide, high] = [300, 60];
/** Room above the highest value. */
const top = 4;

/** How large the source was at each run that made a backup; runs without one are crosses. */
export function sizeChart(runs: readonly FinishedRun[]): string {
  const sizes = runs.map((run) => (hasBackup(run) ? run.source?.bytes : undefined));
  const known = sizes.filter((size) => size !== undefined);
  const last = known.at(-1);
  if (last === undefined) return "";
  const most = Math.max(...known, 1);
  const x = (at: number): number => ((at + 0.5) * wide) / runs.length;
  const y = (size: number): number => high - (size / most) * (high - top);
  const points = sizes.flatMap((size, at) =>
    size === undefined ? [] : [[round(x(at)), round(y(size))] as const],
  );
  const line = points.map((point) => point.join(",")).join(" ");
  const [first, end] = [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 0];
  const crosses = runs.map((run, at) => (hasBackup(run) ? "" : cross(x(at)))).join("");
  return figure(
    runs,
    `Size of the source: ${formatBytes(last)}`,
    `${formatBytes(Math.min(...known))} to ${formatBytes(most)}`,
    `<polygon class="area" points="${first},${high} ${line} ${end},${high}"/><polyline class="stroke" points="${line}"/>${crosses}`,
  );
}

/** How long each run took. */
export function timeChart(runs: readonly FinishedRun[]): string {
  const ran = runs.filter(({ result }) => result !== "skipped");
  const last = ran.at(-1);
  if (last === undefined) return "";
  const most = Math.max(...ran.map(secondsOf), 1);
  const step = wide / runs.length;
  const bars = runs
    .map((run, at) => {
      if (run.result === "skipped") return "";
      const height = Math.max((secondsOf(run) / most) * (high - top), 1);
      return `<rect class="bar${hasBackup(run) ? "" : " failed"}" x="${round(at * step + step * 0.1)}" y="${round(high - height)}" width="${round(step * 0.8)}" height="${round(height)}"/>`;
    })
    .join("");
  const longest = `at most ${formatSpan(most)}`;
  return figure(runs, `Duration: ${formatSpan(secondsOf(last))}`, longest, bars);
}

/** Each run has a place to point at, which tells of it. */
function figure(
  runs: readonly FinishedRun[],
  title: string,
  range: string,
  shapes: string,
): string {
  const step = wide / runs.length;
  const hits = runs
    .map(
      (run, at) =>
        `<rect class="hit" x="${round(at * step)}" y="0" width="${round(step)}" height="${high}"><title>${escapeHtml(runText(run))}</title></rect>`,
    )
    .join("");
  return `<figure><figcaption>${title} <span>${range}, ${runs.length === 1 ? "1 run" : `${runs.length} runs`}</span></figcaption><svg role="img" aria-label="${title}, ${range}" viewBox="0 0 ${wide} ${high}" preserveAspectRatio="none">${shapes}${hits}</svg></figure>`;
}

function runText(run: FinishedRun): string {
  const parts = [
    `${run.finishedAt.slice(0, 16).replace("T", " ")} UTC: ${run.result}`,
    `took ${formatSpan(secondsOf(run))}`,
  ];
  if (run.source !== undefined)
    parts.push(`${formatFiles(run.source.files)} (${formatBytes(run.source.bytes)})`);
  for (const [what, count] of [
    ["new", run.added],
    ["changed", run.changed],
    ["deleted", run.deleted],
  ] as const)
    if (count !== undefined) parts.push(`${count.files} ${what}`);
  return parts.join(", ");
}

function cross(x: number): string {
  const [left, right] = [round(x - 2), round(x + 2)];
  return `<path class="cross" d="M${left} ${high - 12}L${right} ${high - 4}M${right} ${high - 12}L${left} ${high - 4}"/>`;
}

/** How long ago how much was read back, as one bar. */
export function verifiedChart({ within, never, total }: Verified): string {
  if (total.bytes === 0) return "";
  const untouched = Math.min(never.bytes / total.bytes, 1);
  const pieces: Piece[] = [];
  let before = 0;
  for (const { days, bytes } of within) {
    const label = `within ${days === 1 ? "1 day" : `${days} days`}`;
    pieces.push({ name: `v${days}`, label, told: bytes, share: Math.max(bytes - before, 0) });
    before = Math.max(before, bytes);
  }
  const longAgo = Math.max(1 - before - untouched, 0);
  pieces.push({ name: "old", label: "longer ago", told: longAgo, share: longAgo });
  pieces.push({ name: "never", label: "never", told: untouched, share: untouched });
  const text = ({ label, told }: Piece): string => `${label} ${percent(told)}`;
  let x = 0;
  const shapes = pieces.map((piece) => {
    const { name, share } = piece;
    const shape = `<rect class="${name}" x="${round(x)}" y="0" width="${round(share * wide)}" height="10"><title>${text(piece)}</title></rect>`;
    x += share * wide;
    return shape;
  });
  const legend = pieces
    .filter(({ share }) => share >= smallestShare)
    .map((piece) => `<span><span class="key ${piece.name}"></span> ${text(piece)}</span>`)
    .join("");
  const label = pieces.map(text).join(", ");
  return `<figure><figcaption>Read back and compared <span>of ${formatBytes(total.bytes)}</span></figcaption><svg class="share" role="img" aria-label="Read back and compared: ${label}" viewBox="0 0 ${wide} 10" preserveAspectRatio="none">${shapes.join("")}</svg><p class="legend">${legend}</p></figure>`;
}

/** A part of the bar of what was read back. */
interface Piece {
  /** Class of its colour. */
  readonly name: string;
  readonly label: string;
  /** The share that it tells, with what is younger. */
  readonly told: number;
  /** Its own. */
  readonly share: number;
}

/** Less can't be seen. */
const smallestShare = 0.001;

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
