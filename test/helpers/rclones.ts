import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

/**
 * What makes rclone start in a third of the time, as the commands give it: no tables of the widths of characters, for
 * screens that it doesn't draw, and a garbage collector with room. For tests that start it themselves.
 */
export const quickStart = { TCELL_MINIMIZE: "1", GOGC: "400" } as const;

/** One of the two rclones every test that needs a real one runs against. */
export interface Rclone {
  /** "old" is the distribution's, "new" a current one. */
  readonly version: "old" | "new";
  readonly path: string;
}

/** Where scripts/setup.sh --tests keeps what it fetched, outside the checkout. */
export function cacheDirectory(): string {
  const { RCLONE_BACKUPS_TEST_CACHE: own, XDG_CACHE_HOME: xdg } = process.env;
  if (own) return own;
  return path.join(xdg || path.join(homedir(), ".cache"), "rclone-backups-tests");
}

function find(version: Rclone["version"], variable: string): Rclone {
  const named = process.env[variable];
  const file = named || path.join(cacheDirectory(), `rclone-${version}`);
  try {
    accessSync(file, constants.X_OK);
  } catch (cause) {
    const origin = named ? `${variable} names it` : `${variable} is not set`;
    throw new Error(
      `no ${version} rclone for the tests at ${file} (${origin}): run sh scripts/setup.sh --tests`,
      { cause },
    );
  }
  return { version, path: path.resolve(file) };
}

export const oldRclone: Rclone = find("old", "RCLONE_OLD");
export const newRclone: Rclone = find("new", "RCLONE_NEW");

/** Both rclones, the older one first. Importing this file throws where one of them is missing. */
export const rclones: readonly Rclone[] = [oldRclone, newRclone];

/**
 * One of them, for a file of tests about what is decided here, whatever rclone's version is: the files take
 * turns, by their names, the old one more often, since it starts in half the time. What rclone itself does is
 * tested with both. Call it with import.meta.url.
 */
export function eitherRclone(file: string): readonly Rclone[] {
  const sum = Buffer.from(path.basename(file)).reduce((all, byte) => all + byte, 0);
  return [sum % 4 === 0 ? newRclone : oldRclone];
}
