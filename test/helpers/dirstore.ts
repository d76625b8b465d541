import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { openDir, type DirStore } from "../../lib/stores/dir/open.ts";
import type { StoredVersion } from "../../lib/stores/store.ts";
import { rawFromText, textFromRaw } from "../../lib/units/rawpath.ts";
import { run as runProgram } from "./command.ts";
import { quickStart } from "./rclones.ts";
import type { Sandbox } from "./sandbox.ts";

/** What each program called itself: 66 for 1.66. */
const minors = new Map<string, Promise<number>>();

function askMinor(program: string): Promise<number> {
  const asked = runProgram(program, ["version"]).then(({ stdout }) =>
    Number(/^rclone v1\.(\d+)/.exec(stdout)?.[1] ?? 0),
  );
  minors.set(program, asked);
  return asked;
}

/** Opens the dated directories beside a destination, with the sandbox's rclone; closed with the test. */
export async function openDated(
  t: TestContext,
  box: Pick<Sandbox, "rclone" | "env">,
  options: { destination?: string; history?: string; now?: () => Date } = {},
): Promise<DirStore> {
  const { destination = "secret:data", now = () => new Date() } = options;
  const scratch = await mkdtemp(path.join(tmpdir(), "rclone-backups-dated-"));
  const minor = await (minors.get(box.rclone.path) ?? askMinor(box.rclone.path));
  const store = openDir({
    rclone: { program: box.rclone.path, env: { ...quickStart, ...box.env }, common: [] },
    features: { version: "", fineTimes: minor >= 66 },
    tuning: {
      ...{ copyLinks: false, transfers: undefined, checkers: undefined, bwlimit: undefined },
      flags: [],
    },
    destination,
    history: options.history ?? `${destination}.history`,
    scratch,
    place: destination,
    now,
    lastNumber: 0,
  });
  t.after(async () => {
    await store.close();
    await rm(scratch, { recursive: true, force: true });
  });
  return store;
}

/** All versions by path as text, newest first. */
export async function versionsByPath(
  store: DirStore,
  prefix = "",
): Promise<Map<string, StoredVersion[]>> {
  const found = new Map<string, StoredVersion[]>();
  for await (const page of store.versions(rawFromText(prefix)))
    for (const version of page) {
      const name = textFromRaw(version.name);
      found.set(name, [...(found.get(name) ?? []), version]);
    }
  return found;
}

/** The content of a version. */
export async function contentOf(
  store: DirStore,
  version: StoredVersion,
  range?: { start: number; length?: number },
): Promise<string> {
  const chunks: Buffer[] = [];
  const stream: AsyncIterable<Buffer> = await store.open(version, range);
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
