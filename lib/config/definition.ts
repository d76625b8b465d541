import type { Key } from "./keys.ts";
import { list, optional, required, withDefault } from "./keys.ts";
import {
  absolutePath,
  boolean,
  conditions,
  count,
  duration,
  fileBeside,
  flags,
  historyKind,
  limit,
  location,
  path,
  program,
  secret,
  shell,
  size,
  timetable,
} from "./kinds.ts";
import { notifyKeys, scheduleKeys } from "./nightkeys.ts";
import { interval } from "./nightkinds.ts";

export interface Section {
  readonly name: string;
  /**
   * `keys`: lines are key = value; `rules`: every line is a filter rule, kept byte for byte;
   * `policies`: lines are NAME = DAYS…; `retention`: lines are PATTERN = POLICY.
   */
  readonly holds: "keys" | "rules" | "policies" | "retention";
  readonly summary: string;
}

/** Every section, in the order in which the reference and --show-config list them. */
export const sections: readonly Section[] = [
  {
    name: "default",
    holds: "keys",
    summary: "What is backed up and where to, and the hooks around it.",
  },
  {
    name: "filters",
    holds: "rules",
    summary:
      "Filter rules of rclone, one a line, `- PATTERN` or `+ PATTERN`; the first that matches decides. They come after the built-in `- *~` and `- .#*`.",
  },
  {
    name: "test-filters",
    holds: "rules",
    summary:
      "More rules, for `--test-filters` and audits only, where they come before those of `[filters]`: for what is known to be left out.",
  },
  {
    name: "guards",
    holds: "keys",
    summary: "What must hold before anything is changed in the backup.",
  },
  { name: "rclone", holds: "keys", summary: "Which rclone runs, and how." },
  {
    name: "verify",
    holds: "keys",
    summary:
      "What is verified, when the command line doesn't say and every night, and what becomes of a difference.",
  },
  { name: "history", holds: "keys", summary: "Where old and deleted versions of files are kept." },
  {
    name: "policies",
    holds: "policies",
    summary:
      "Policies of your own, `NAME = 1 2 3 7 * 30 ?` a line: ages in days, and in each span between two of them the newest and the oldest version stay. `*` repeats the number before it, `?` does so while the file exists. See [retention.md](retention.md). `--set policies.NAME=…` and `RCLONE_BACKUPS_POLICIES_NAME` (for the name in lower case) define one, too.",
  },
  {
    name: "retention",
    holds: "retention",
    summary:
      "Which policy holds for which files, `PATTERN = POLICY` a line, split at the last ` = `; the first line that matches decides, and where none does, `default` holds. A pattern is a path or a glob from the top of the backup, kept byte for byte; one that ends in / means everything below. These lines can't be overridden.",
  },
  {
    name: "schedule",
    holds: "keys",
    summary:
      "When this backup runs, and what must hold for it to run at all. See [schedule.md](schedule.md).",
  },
  { name: "notify", holds: "keys", summary: "Who is told of what." },
];

/**
 * Every key. The parser, the defaults, the names of the overrides, --show-config, the reference and
 * the JSON Schema are all made from this table; lib/config/backup.ts puts the values into a Backup.
 */
export const keys = {
  extends: optional(path, {
    section: "default",
    name: "extends",
    summary:
      "Another configuration whose keys hold where this one sets none, and whose filters come after this one's. A path relative to this file, or a name next to it or in the configuration directories.",
    example: "common.conf",
  }),
  source: required(location, {
    section: "default",
    name: "source",
    summary: "What is backed up.",
    example: "/srv/data",
  }),
  destination: required(location, {
    section: "default",
    name: "destination",
    summary: "Where the backup is stored. Whatever else it holds is removed from it.",
    example: "secret:data",
  }),
  archiveSpecials: withDefault(boolean, "yes", {
    section: "default",
    name: "archive_specials",
    summary:
      "Keep devices, fifos and symbolic links, which rclone doesn't copy, in `special-files.tar.gz` at the top of the source.",
    example: "no",
  }),
  copyLinks: withDefault(boolean, "no", {
    section: "default",
    name: "copy_links",
    summary: "Follow symbolic links and copy what they point to.",
    example: "yes",
  }),
  preCommand: optional(shell, {
    section: "default",
    name: "pre_command",
    summary: "Runs before the backup; when it fails, there is none.",
    example: "pg_dumpall > /srv/data/postgres.sql",
  }),
  postCommand: optional(shell, {
    section: "default",
    name: "post_command",
    summary: "Runs after a backup that went well.",
    example: "touch /run/backup-done",
  }),
  failureCommand: optional(shell, {
    section: "default",
    name: "failure_command",
    summary: "Runs after a backup that failed or was refused.",
    example: "logger -p user.err backup failed",
  }),
  timeout: optional(duration, {
    section: "default",
    name: "timeout",
    summary:
      "How long one of these commands may run before it is ended. Without it there is no limit.",
    example: "30m",
  }),
  requireMount: optional(absolutePath, {
    section: "guards",
    name: "require_mount",
    summary: "A directory that must be a mount point.",
    example: "/srv",
  }),
  requireFile: optional(path, {
    section: "guards",
    name: "require_file",
    summary: "A file that must exist; a relative path starts at the source.",
    example: ".this-is-the-real-disk",
  }),
  maxDelete: withDefault(limit, "50%", {
    section: "guards",
    name: "max_delete",
    summary: "Refuse when more than this of the last good backup would be deleted.",
    example: "1000",
  }),
  maxChange: withDefault(limit, "off", {
    section: "guards",
    name: "max_change",
    summary:
      "Refuse when more than this of the last good backup would be overwritten, as ransomware does.",
    example: "30%",
  }),
  program: withDefault(program, "rclone", {
    section: "rclone",
    name: "program",
    summary: "The rclone to run.",
    example: "/opt/rclone/rclone",
  }),
  config: optional(fileBeside, {
    section: "rclone",
    name: "config",
    summary: "rclone's configuration file; without it, rclone finds its own.",
    example: "/etc/rclone-backups/rclone.conf",
  }),
  password: optional(secret, {
    section: "rclone",
    name: "password",
    summary: "The password of an encrypted rclone configuration.",
    example: "file:/etc/rclone-backups/password",
  }),
  transfers: optional(count, {
    section: "rclone",
    name: "transfers",
    summary: "How many files are copied at once.",
    example: "8",
  }),
  checkers: optional(count, {
    section: "rclone",
    name: "checkers",
    summary: "How many files are compared at once.",
    example: "16",
  }),
  bwlimit: optional(timetable, {
    section: "rclone",
    name: "bwlimit",
    summary: "The bandwidth that rclone may use.",
    example: "08:00,512k 23:00,off",
  }),
  flags: list(flags, {
    section: "rclone",
    name: "flags",
    summary:
      "More flags for rclone, quoted as in a shell. Flags that change what is deleted, what is filtered, which place is meant or how rclone reports are refused, and so are flags that hold a secret.",
    example: "--buffer-size=32M --user-agent='our backup'",
  }),
  conditions: list(conditions, {
    section: "verify",
    name: "conditions",
    summary: "What to verify when `--verify` is given without conditions; all must hold.",
    example: "data=1G, age=30d",
  }),
  mend: withDefault(boolean, "yes", {
    section: "verify",
    name: "mend",
    summary:
      "Upload a file again when verification found it different and its source hasn't changed since it was backed up.",
    example: "no",
  }),
  budget: optional(size, {
    section: "verify",
    name: "budget",
    summary:
      "The most bytes of this backup that the nightly verification reads back in a day; 0 reads none. Without it, this backup gets its share of `VERIFY_BUDGET`.",
    example: "500M",
  }),
  hashEvery: optional(interval, {
    section: "verify",
    name: "hash_every",
    summary:
      "How often the nightly run compares every file's checksum at the provider, too, as `--verify hash` does.",
    example: "30d",
  }),
  ...scheduleKeys,
  ...notifyKeys,
  historyKind: withDefault(historyKind, "auto", {
    section: "history",
    name: "kind",
    summary:
      "How old versions are kept: `b2` and `s3` by the store itself, in the versions of its files; `dir` in dated directories beside the destination, on any other store; `none` not at all. `auto` means `b2` or `s3` if the destination is one, else `none`.",
    example: "dir",
  }),
  historyDir: optional(location, {
    section: "history",
    name: "dir",
    summary:
      "Where the dated directories of `kind = dir` are, on the same remote as the destination and outside it. Without it, they are in `DESTINATION.history`.",
    example: "secret:data.history",
  }),
  historyPrune: withDefault(boolean, "no", {
    section: "history",
    name: "prune",
    summary: "Remove versions that the policies no longer keep, after each backup that went well.",
    example: "yes",
  }),
};

export const allKeys: readonly Key<unknown>[] = Object.values(keys);

/** Variables of the suite that set no key. */
export const reservedEnvironment: readonly string[] = [
  "RCLONE_BACKUPS_DIR",
  "RCLONE_BACKUPS_STATE",
  "RCLONE_BACKUPS_DEFAULTS",
];

const byId = new Map(allKeys.map((key) => [key.id, key]));
const byName = new Map(sections.map((section) => [section.name, section]));

export function findKey(section: string, name: string): Key<unknown> | undefined {
  return byId.get(`${section}.${name}`);
}

export function findSection(name: string): Section | undefined {
  return byName.get(name);
}

/** The names of a section's keys. */
export function keyNames(section: string): string[] {
  return allKeys.filter((key) => key.section === section).map((key) => key.name);
}
