import { spawnSync } from "node:child_process";
import { readFileSync, realpathSync, statfsSync } from "node:fs";
import path from "node:path";
import prettyBytes from "pretty-bytes";
import { escapeInterpolation } from "../../lib/config/interpolate.ts";
import { writeValue } from "../../lib/config/value.ts";
import { clean } from "./environment.ts";
import { exists, isWithin, Refusal, writeWhole } from "./place.ts";
import type { Place } from "./place.ts";

/**
 * Writes NAME.conf for a source unless an earlier quickstart did, and returns NAME.
 * `own` is for the quickstart's sample tree: the program may write its archive of special files there.
 */
export function ensureBackup(place: Place, source: string, own: boolean): string {
  const resolved = realpathSync(source);
  const name = freeName(place, resolved, own);
  const file = path.join(place.config, `${name}.conf`);
  if (exists(file)) return name;
  const specials = own
    ? ""
    : "; Links and devices are left out: the archive they go into would be written into the source.\narchive_specials = no\n";
  writeWhole(
    file,
    `; A backup made by npm run quickstart. See docs/configuration.md.
[default]
${sourceLine(resolved)}
destination = quickstart:${name}
${specials}
[rclone]
config = ${value(place.rcloneConf)}

; What a run replaces or deletes is kept beside the destination, in quickstart:${name}.history.
[history]
kind = dir
${filters(place, resolved, own)}`,
  );
  return name;
}

/** A name for the source that no other source's configuration has. */
function freeName(place: Place, source: string, own: boolean): string {
  if (own) return "sample";
  const base =
    path
      .basename(source)
      .replaceAll(/[^\w-]+/g, "-")
      .replace(/^-+/, "") || "root";
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}-${number}`;
    const file = path.join(place.config, `${name}.conf`);
    if (name === "sample") continue;
    if (!exists(file) || readFileSync(file, "utf8").split("\n").includes(sourceLine(source)))
      return name;
  }
}

function sourceLine(source: string): string {
  return `source = ${value(source)}`;
}

function value(text: string): string {
  return writeValue(escapeInterpolation(text));
}

/** The quickstart's own directory must not be backed up into itself. */
function filters(place: Place, source: string, own: boolean): string {
  const rule = own ? undefined : ownDirectoryRule(place, source);
  if (rule === undefined) return "";
  return `\n; The quickstart's own directory would grow by itself with every run.\n[filters]\n- ${rule}\n`;
}

function ownDirectoryRule(place: Place, source: string): string | undefined {
  if (!isWithin(source, place.root)) return undefined;
  const relative = path.relative(source, place.root);
  return `/${relative.replaceAll(/[\\*?[\]{}]/g, String.raw`\$&`)}/**`;
}

/**
 * Says how much there is to back up, and returns the number of files, Infinity where it is unknown.
 * @throws Refusal if it would not fit beside what is on the disk.
 */
export function checkRoom(place: Place, source: string, say: (text: string) => void): number {
  const rule = ownDirectoryRule(place, realpathSync(source));
  const args = [
    "size",
    "--json",
    "--skip-links",
    "--log-level=ERROR",
    ...(rule === undefined ? [] : ["--exclude", rule]),
  ];
  const { status, stdout, error } = spawnSync("rclone", [...args, "--", source], {
    encoding: "utf8",
    env: clean(process.env),
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (error !== undefined) throw error;
  // What can't be read is the backup's to report.
  if (status !== 0) return Infinity;
  const total: unknown = JSON.parse(stdout);
  if (typeof total !== "object" || total === null || !("bytes" in total) || !("count" in total))
    return Infinity;
  const bytes = Number(total.bytes);
  const { bavail, bsize } = statfsSync(place.root);
  const files = `${Number(total.count).toLocaleString("en")} files, ${prettyBytes(bytes, { binary: true })}`;
  say(`${source} holds ${files}.`);
  // A repeated run has most of it already, so only the first is judged.
  const first = !exists(
    path.join(place.config, `${freeName(place, realpathSync(source), false)}.conf`),
  );
  if (first && bytes > bavail * bsize * 0.9) {
    throw new Refusal(
      `${files} do not fit on the disk of ${place.root}: name a smaller directory, or another disk with --dir`,
    );
  }
  return Number(total.count);
}
