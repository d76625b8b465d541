import type { Limit } from "../units/limit.ts";
import type { NoticeEvent } from "../units/noticeevent.ts";
import type { Policy } from "../units/policy.ts";
import { keys } from "./definition.ts";
import type { Key } from "./keys.ts";
import type { HistoryKind } from "./kinds.ts";

/** A line of [retention]. */
export interface RetentionLine {
  /** A path or a glob from the top of the backup, byte for byte as it is written. */
  readonly pattern: string;
  /** The name of a policy that is built in or among the backup's own. */
  readonly policy: string;
  /** `file:line`. */
  readonly origin: string;
}

/** When a backup runs, and the conditions under which it is skipped (exit code 75). */
export interface ScheduleSettings {
  /** Five fields, valid for lib/schedule. Undefined: due at every run. */
  readonly cron: string | undefined;
  /** An IANA name; undefined: the system's. */
  readonly timeZone: string | undefined;
  /** For `/bin/sh -c`; any exit code but 0 skips. */
  readonly skipUnless: string | undefined;
  readonly requireNetwork: boolean;
  readonly requirePower: boolean;
  /** Load average of one minute for each processor. */
  readonly maxLoad: number | undefined;
  /** Whether a host that takes no connections skips the run. */
  readonly probe: boolean;
}

/**
 * Who is told of what. `smtp`, `webhook`, `ntfy` and `ping` are secrets that are not resolved yet, so that
 * a missing file or a command that hangs never stops a backup: `file:` with an absolute path, `command:CMD`,
 * or the URL itself. resolveSecret of secret.ts, with any base, gives the URL.
 */
export interface NotifySettings {
  /** Addresses, or names of users of this machine. */
  readonly mail: readonly string[];
  readonly mailFrom: string | undefined;
  readonly smtp: string | undefined;
  readonly webhook: string | undefined;
  /** Absolute path. */
  readonly webhookTemplate: string | undefined;
  readonly ntfy: string | undefined;
  readonly ping: string | undefined;
  /** For `/bin/sh -c`. */
  readonly command: string | undefined;
  readonly on: readonly NoticeEvent[];
  readonly remindSeconds: number;
}

/** One backup, as its configuration describes it. */
export interface Backup {
  /** The configuration file's base name without `.conf`. */
  readonly name: string;
  /** Absolute path of the configuration file. */
  readonly file: string;
  /** Both may be locations of rclone, with connection strings that hold secrets. */
  readonly source: string;
  readonly destination: string;
  readonly archiveSpecials: boolean;
  readonly copyLinks: boolean;
  /** Commands for `/bin/sh -c`. */
  readonly hooks: {
    readonly pre: string | undefined;
    readonly post: string | undefined;
    readonly failure: string | undefined;
    readonly timeoutSeconds: number | undefined;
  };
  /** Rules as they are written, the child's before its parent's, without the built-in ones. */
  readonly filters: readonly string[];
  readonly testFilters: readonly string[];
  readonly guards: {
    readonly requireMount: string | undefined;
    readonly requireFile: string | undefined;
    readonly maxDelete: Limit;
    readonly maxChange: Limit;
  };
  readonly rclone: {
    /** A path, or a name to look up in PATH. */
    readonly program: string;
    readonly config: string | undefined;
    /** A secret: of an encrypted configuration. */
    readonly password: string | undefined;
    readonly transfers: number | undefined;
    readonly checkers: number | undefined;
    readonly bwlimit: string | undefined;
    /** `--flag` and `--flag=value` only. */
    readonly flags: readonly string[];
  };
  readonly verify: {
    /** Valid for parseConditions; none unless set. */
    readonly conditions: readonly string[];
    readonly mend: boolean;
    /** The most plain bytes a day that the nightly verification reads; undefined: its share. */
    readonly budget: number | undefined;
    /** How old the last verification of all checksums may be before the nightly run does one. */
    readonly hashEverySeconds: number | undefined;
  };
  readonly schedule: ScheduleSettings;
  readonly notify: NotifySettings;
  readonly history: {
    /** `auto`: what the store does by itself, which may be nothing. */
    readonly kind: HistoryKind;
    /** A location; beside the destination unless set. */
    readonly dir: string | undefined;
    readonly prune: boolean;
  };
  /** Policies of the configuration, by name, without the built-in ones; it may define `default`. */
  readonly policies: ReadonlyMap<string, Policy>;
  /** The first that matches decides; the child's before its parent's. */
  readonly retention: readonly RetentionLine[];
}

export interface BackupParts {
  readonly name: string;
  readonly file: string;
  readonly filters: readonly string[];
  readonly testFilters: readonly string[];
  readonly policies: ReadonlyMap<string, Policy>;
  readonly retention: readonly RetentionLine[];
  /** The value of a key; throws a usage failure if its text is wrong. */
  readonly get: <T>(key: Key<T>) => T;
}

/** Puts the values of all keys in their places. */
export function makeBackup({ get, ...parts }: BackupParts): Backup {
  const { name, file, filters, testFilters, policies, retention } = parts;
  return {
    name,
    file,
    source: get(keys.source),
    destination: get(keys.destination),
    archiveSpecials: get(keys.archiveSpecials),
    copyLinks: get(keys.copyLinks),
    hooks: {
      pre: get(keys.preCommand),
      post: get(keys.postCommand),
      failure: get(keys.failureCommand),
      timeoutSeconds: get(keys.timeout),
    },
    filters,
    testFilters,
    guards: {
      requireMount: get(keys.requireMount),
      requireFile: get(keys.requireFile),
      maxDelete: get(keys.maxDelete),
      maxChange: get(keys.maxChange),
    },
    rclone: {
      program: get(keys.program),
      config: get(keys.config),
      password: get(keys.password),
      transfers: get(keys.transfers),
      checkers: get(keys.checkers),
      bwlimit: get(keys.bwlimit),
      flags: get(keys.flags),
    },
    verify: {
      conditions: get(keys.conditions),
      mend: get(keys.mend),
      budget: get(keys.budget),
      hashEverySeconds: get(keys.hashEvery),
    },
    schedule: {
      cron: get(keys.cron),
      timeZone: get(keys.timeZone),
      skipUnless: get(keys.skipUnless),
      requireNetwork: get(keys.requireNetwork),
      requirePower: get(keys.requirePower),
      maxLoad: get(keys.maxLoad),
      probe: get(keys.probe),
    },
    notify: {
      mail: get(keys.mail),
      mailFrom: get(keys.mailFrom),
      smtp: get(keys.smtp),
      webhook: get(keys.webhook),
      webhookTemplate: get(keys.webhookTemplate),
      ntfy: get(keys.ntfy),
      ping: get(keys.ping),
      command: get(keys.noticeCommand),
      on: get(keys.on),
      remindSeconds: get(keys.remind),
    },
    history: {
      kind: get(keys.historyKind),
      dir: get(keys.historyDir),
      prune: get(keys.historyPrune),
    },
    policies,
    retention,
  };
}
