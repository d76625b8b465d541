import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { archiveName, archiveSpecials } from "../../lib/specials/archive.ts";
import type { SpecialsRequest, SpecialsResult } from "../../lib/specials/archive.ts";
import { rawFromBytes } from "../../lib/units/rawpath.ts";
import { run } from "./command.ts";
import { oldRclone } from "./rclones.ts";
import type { Rclone } from "./rclones.ts";
import { makeSandbox } from "./sandbox.ts";

export const now = new Date("2024-06-01T12:00:00Z");
export const day = 86_400_000;

export interface Place {
  readonly source: string;
  readonly archive: string;
  readonly scratch: string;
  /** Brings the archive up to date, with rclone's filters. */
  readonly update: (options?: Partial<SpecialsRequest>) => Promise<SpecialsResult>;
  /** The archive's members as tar lists them. */
  readonly members: () => Promise<string[]>;
}

export async function place(
  t: TestContext,
  rules = "",
  rclone: Rclone = oldRclone,
): Promise<Place> {
  const sandbox = await makeSandbox(t, rclone);
  const source = path.join(sandbox.root, `it's a "source" dir`);
  const scratch = path.join(sandbox.root, "scratch");
  const filter = path.join(sandbox.root, "filter");
  mkdirSync(source);
  writeFileSync(filter, rules, "latin1");
  const archive = path.join(source, archiveName);
  const lsf = ["lsf", "-R", "--files-only", "--filter-from", filter];
  return {
    source,
    archive,
    scratch,
    update: async (options) =>
      archiveSpecials({
        source,
        scratch,
        now,
        linksAreSpecial: true,
        dryRun: false,
        async *listIncluded(directory) {
          const { code, stdoutBytes, stderr } = await sandbox.runRclone([...lsf, directory]);
          assert.equal(code, 0, stderr);
          yield stdoutBytes.toString("latin1").split("\n").slice(0, -1).map(rawFromBytes);
        },
        ...options,
      }),
    members: async () => {
      const listed = await run("tar", ["--quoting-style=literal", "-tzf", archive]);
      assert.equal(listed.code, 0, listed.stderr);
      return listed.stdoutBytes.toString("latin1").split("\n").slice(0, -1);
    },
  };
}

export async function fifo(file: string): Promise<void> {
  assert.equal((await run("mkfifo", [file])).code, 0);
}
