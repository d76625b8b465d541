import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { loadBackup } from "../../lib/config/load.ts";
import type { LoadedBackup, LoadOptions } from "../../lib/config/load.ts";
import { Failure } from "../../lib/errors.ts";

/** A directory with configurations, and nothing else that could be read. */
export interface ConfigDir {
  readonly dir: string;
  /** Writes files, making directories as needed; returns the path of the first. */
  write: (files: Readonly<Record<string, string | Buffer>>) => Promise<string>;
  /** Loads a backup by path or name; `dir` is the configuration directory. */
  load: (nameOrPath: string, options?: Partial<LoadOptions>) => Promise<LoadedBackup>;
  /** The failure with which loading this text as `x.conf` ends; paths in it begin with `DIR`. */
  fail: (
    text: string | Buffer,
    options?: Partial<LoadOptions>,
  ) => Promise<{ message: string; hint: string | undefined }>;
}

export const minimal = "[default]\nsource = /src\ndestination = r:dst\n";

export async function makeConfigDir(t: TestContext): Promise<ConfigDir> {
  const dir = await mkdtemp(path.join(tmpdir(), "rclone-backups-config-"));
  t.after(async () => rm(dir, { recursive: true, force: true }));
  const write: ConfigDir["write"] = async (files) => {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(dir, name)), { recursive: true });
      await writeFile(path.join(dir, name), text);
    }
    return path.join(dir, Object.keys(files)[0] ?? "");
  };
  const load: ConfigDir["load"] = async (nameOrPath, options) =>
    loadBackup(nameOrPath, { configDir: dir, env: {}, set: [], ...options });
  return {
    dir,
    write,
    load,
    fail: async (text, options) => {
      const failure = await failureOf(load(await write({ "x.conf": text }), options));
      const { message, hint } = failure;
      return { message: message.replaceAll(dir, "DIR"), hint: hint?.replaceAll(dir, "DIR") };
    },
  };
}

/** The Failure that a promise ends with, which must be one of usage. */
export async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error: unknown = await work.then(
    () => assert.fail("expected a failure"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Failure, String(error));
  assert.equal(error.outcome, "usage");
  return error;
}
