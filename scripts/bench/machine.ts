import { spawnSync } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";
import type { Rclone } from "../../test/helpers/rclones.ts";

/** What the figures were measured on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_bytes: number;
  readonly kernel: string;
  readonly file_system: string;
  readonly node: string;
  readonly rclone: Readonly<Record<string, string>>;
  readonly rclone_backups: string;
}

export function describeMachine(
  work: string,
  rclones: readonly Rclone[],
  ownVersion: string,
): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memory_bytes: totalmem(),
    kernel: `${type()} ${release()}`,
    file_system: firstLine("findmnt", ["-n", "-o", "FSTYPE", "-T", work]) ?? "unknown",
    node: process.versions.node,
    rclone: Object.fromEntries(rclones.map((rclone) => [rclone.version, versionOf(rclone)])),
    rclone_backups: ownVersion,
  };
}

/** `1.60.1`, without the distribution's suffix. */
export function versionOf(rclone: Rclone): string {
  const line = firstLine(rclone.path, ["version"]) ?? "";
  return /v(\d+\.\d+\.\d+)/.exec(line)?.[1] ?? "unknown";
}

function firstLine(program: string, args: readonly string[]): string | undefined {
  const { stdout, status } = spawnSync(program, args, { encoding: "utf8" });
  const line = status === 0 ? stdout.split("\n")[0]?.trim() : undefined;
  return line === "" ? undefined : line;
}
