import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { usage } from "../../lib/errors.ts";
import { parseBytes } from "../../lib/units/bytes.ts";

export const caseNames = [
  "help",
  "sync",
  "memory",
  "choose",
  "verify",
  "du",
  "names",
  "ledger",
  "status",
  "run",
  "prune",
  "restore",
  "mongo",
  "split",
] as const;
export type CaseName = (typeof caseNames)[number];

export interface Options {
  readonly cases: readonly CaseName[];
  /** Files of the timed backup. */
  readonly files: number;
  /** Files of the large listing. */
  readonly many: number;
  readonly verifyBytes: number;
  /** Stored versions of the pruning that is timed. */
  readonly versions: number;
  /** Backups that are run together. */
  readonly backups: number;
  /** Stored versions of the pruning whose memory alone is looked at; undefined leaves it out. */
  readonly mostVersions: number | undefined;
  /** Files of the restore that is timed, 50 kB each. */
  readonly restoreFiles: number;
  /** Bytes of the one large file that is restored. */
  readonly restoreBytes: number;
  /** Bytes of the dump that is split. */
  readonly dumpBytes: number;
  /** Timed pairs of each comparison. */
  readonly runs: number;
  /** Undefined: both in sync and verify, the new one in the others. */
  readonly rclone: "old" | "new" | undefined;
  /** A directory, in which a directory of our own is made. */
  readonly work: string;
  readonly json: string | undefined;
}

export const help = `usage: npm run bench -- [options]

Measures rclone-backup and the commands beside it against bare rclone, side by side, and prints a table.
Works in a directory of its own, which it removes. Nothing is sent anywhere.

  --only CASE       help, sync, memory, choose, verify, du, names, ledger, status, run, prune,
                    restore, mongo or split; repeatable (default: all)
  --files N         files of the backup without changes (sync; default 100000)
  --many N          files of the large tree (memory, choose), lines of the listing (du), path segments
                    (names), files of the ledger, documents (mongo); default 1000000
  --verify-size N   bytes to verify, such as 4G (verify; default 4G)
  --backups N       backups that are run together (run; default 50)
  --versions N      stored versions (prune; default 1000000)
  --most-versions N stored versions where memory alone is looked at (prune; default five times --versions,
                    and with --only none unless this is given)
  --restore-files N files of 50 kB to restore (restore; default 20000)
  --restore-size N  bytes of one large file to restore (restore; default 10G)
  --dump-size N     bytes of the dump (split; default 2G)
  --runs N          pairs of timed runs, of which medians are taken (default 5; fewer is no result)
  --rclone VERSION  old or new alone (default: both in sync and verify, new in the others)
  --work DIR        where to work: about 25 GB and 2.1 million inodes are needed (default: $TMPDIR or /var/tmp)
  --json FILE       write the figures as JSON too
  --help            show this

Exit codes: 0 measured, whatever the figures; 1 a run failed; 2 wrong usage; 130 interrupted.
`;

/** Reads the command line; undefined when help was asked for. File names are taken from `from`. */
export function parseOptions(args: readonly string[], from: string): Options | undefined {
  const { values } = parse(args);
  if (values.help === true) return undefined;
  const { only = [], rclone, json } = values;
  const cases = only.map((name) => {
    const known = caseNames.find((candidate) => candidate === name);
    if (known === undefined)
      throw usage(`--only: expected one of ${caseNames.join(", ")}, found ${name}`);
    return known;
  });
  if (rclone !== undefined && rclone !== "old" && rclone !== "new")
    throw usage(`--rclone: expected old or new, found ${rclone}`);
  const versions = positive("versions", values.versions, 1_000_000);
  const most = values["most-versions"];
  return {
    cases: cases.length === 0 ? caseNames : caseNames.filter((name) => cases.includes(name)),
    files: positive("files", values.files, 100_000),
    many: positive("many", values.many, 1_000_000),
    verifyBytes: Math.max(parseBytes(values["verify-size"] ?? "4G"), 1),
    versions,
    backups: positive("backups", values.backups, 50),
    mostVersions:
      most === undefined && cases.length > 0
        ? undefined
        : positive("most-versions", most, 5 * versions),
    restoreFiles: positive("restore-files", values["restore-files"], 20_000),
    restoreBytes: Math.max(parseBytes(values["restore-size"] ?? "10G"), 1),
    dumpBytes: Math.max(parseBytes(values["dump-size"] ?? "2G"), 1),
    runs: positive("runs", values.runs, 5),
    rclone,
    work: path.resolve(from, values.work ?? defaultWork()),
    json: json === undefined ? undefined : path.resolve(from, json),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: "string", multiple: true },
        files: { type: "string" },
        many: { type: "string" },
        "verify-size": { type: "string" },
        versions: { type: "string" },
        backups: { type: "string" },
        "most-versions": { type: "string" },
        "restore-files": { type: "string" },
        "restore-size": { type: "string" },
        "dump-size": { type: "string" },
        runs: { type: "string" },
        rclone: { type: "string" },
        work: { type: "string" },
        json: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || !Number.isSafeInteger(value))
    throw usage(`--${name}: expected a whole number above 0, found ${text}`);
  return value;
}

/** Not /tmp where nothing says so: it may be memory, and disk is what is measured. */
function defaultWork(): string {
  return process.env["TMPDIR"] === undefined && process.platform === "linux"
    ? "/var/tmp"
    : tmpdir();
}
