import type { HistoryKind } from "../../config/kinds.ts";
import { escapeInterpolation } from "../../config/interpolate.ts";
import { writeValue } from "../../config/value.ts";

/** What the configuration of a new backup says. */
export interface NewConfig {
  readonly name: string;
  readonly source: string;
  readonly destination: string;
  readonly rcloneConfig: string;
  /** The mount point that the source is on, if it is one of its own. */
  readonly mount: string | undefined;
  readonly history: HistoryKind;
  readonly cron: string | undefined;
  /** Of the day on which it is made. */
  readonly day: string;
}

/** The text of a backup's configuration file. */
export function newConfigText(config: NewConfig): string {
  const { name, source, destination, rcloneConfig, mount, history, cron, day } = config;
  return `; The backup ${name}, made by rclone-backups init on ${day}.
; Every key: docs/configuration-reference.md, or rclone-backup --show-config ${name}

[default]
source = ${value(source)}
destination = ${value(destination)}

[filters]
; What is left out, by rclone's filter rules, such as
; - /cache/**

[guards]
; What must hold before anything is changed in the backup.
${mount === undefined ? requireFile(source) : `require_mount = ${value(mount)}`}
max_delete = 50%
; max_change = 50%

[rclone]
config = ${value(rcloneConfig)}

[history]
${historyNote[history]}
kind = ${history}

[schedule]
${cron === undefined ? "; cron = 30 3 * * *" : `cron = ${value(cron)}`}
`;
}

function requireFile(source: string): string {
  return `; If the source may be missing or empty at times: a file in it that is always there.
; require_file = ${value(`${source.replace(/\/+$/, "")}/.this-is-the-real-one`).replaceAll("\n", " ")}`;
}

const historyNote: Readonly<Record<HistoryKind, string>> = {
  auto: "; The store keeps old versions by itself.",
  b2: "; The store keeps old versions by itself.",
  s3: "; The store keeps old versions by itself.",
  dir: "; What a run replaces or deletes is kept beside the destination.",
  none: "; Nothing keeps old versions.",
};

function value(text: string): string {
  return writeValue(escapeInterpolation(text));
}
