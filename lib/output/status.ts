import type { Progress } from "../units/events.ts";

/** The live status: done, total, rate and time left, as far as they are known. */
export function statusLine(progress: Progress): string {
  const parts: string[] = [];
  if (progress.totalFiles !== undefined)
    parts.push(`${progress.doneFiles}/${progress.totalFiles} files`);
  if (progress.doneBytes > 0 || (progress.totalBytes ?? 0) > 0) {
    const total = progress.totalBytes === undefined ? "" : `/${size(progress.totalBytes)}`;
    parts.push(`${size(progress.doneBytes)}${total}`);
  }
  if (progress.rate !== undefined) parts.push(`${size(progress.rate)}/s`);
  if (progress.etaSeconds !== undefined) parts.push(`${duration(progress.etaSeconds)} left`);
  return parts.length === 0 ? `${progress.stage} …` : `${progress.stage}  ${parts.join("  ")}`;
}

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** As short as a status line needs; reports use formatBytes. */
function size(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1);
  const value = bytes / 1024 ** power;
  return `${value.toFixed(power > 0 && value < 100 ? 1 : 0)} ${units[power] ?? ""}`;
}

function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes >= 60
    ? `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(Math.floor(seconds % 60))}`
    : `${minutes}:${pad(Math.floor(seconds % 60))}`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
