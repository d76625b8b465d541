// Dated directories on the local disk, filled as a backup fills them.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { onePage } from "../../lib/manifest/pages.ts";
import { writeRunManifest, type RunLine } from "../../lib/manifest/runs.ts";
import { systemFromRaw } from "../../lib/units/encoding.ts";
import type { RawPath } from "../../lib/units/rawpath.ts";
import { runId } from "../../lib/units/runid.ts";
import { openDated } from "./dirstore.ts";
import type { Rclone } from "./rclones.ts";
import type { MadeStore, Put, StoreMaker } from "./storecontract.ts";

const began = Date.UTC(2025, 0, 1);

/** The kind `dir` for the contract, with one rclone. */
export function dirMaker(rclone: Rclone): StoreMaker {
  return {
    title: `dir, ${rclone.version} rclone`,
    many: 100,
    besideDirectory: false,
    keepsMarkers: false,
    make: async (t) => makeDirectories(t, rclone),
  };
}

async function makeDirectories(t: TestContext, rclone: Rclone): Promise<MadeStore> {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-dir-"));
  t.after(async () => rm(root, { recursive: true, force: true }));
  const destination = path.join(root, "data");
  const history = `${destination}.history`;
  await mkdir(destination);
  await mkdir(history);
  let number = 0;
  const now = (): Date => new Date(began + number * 60_000);
  const store = await openDated(
    t,
    {
      rclone,
      env: {
        ...{ PATH: process.env["PATH"] ?? "", HOME: root, TZ: "UTC" },
        // Else one that is only just being ended would make directories for it, after ours are removed.
        RCLONE_CONFIG: path.join(root, "rclone.conf"),
      },
    },
    {
      destination,
      now: () => {
        number += 1;
        return now();
      },
    },
  );

  /** One run: what is at these names is set aside, the rest is the caller's. */
  const run = async (
    names: readonly RawPath[],
    act: (name: RawPath, old: boolean) => Promise<RunLine>,
  ): Promise<void> => {
    number += 1;
    const id = runId(number, now());
    const lines: RunLine[] = [];
    for (const name of names) {
      const file = at(destination, name);
      const there = await stat(file).then(
        () => true,
        () => false,
      );
      if (there) {
        const aside = at(path.join(history, id), name);
        await mkdir(parentOf(aside), { recursive: true });
        await rename(file, aside);
      }
      lines.push(await act(name, there));
    }
    await writeRunManifest(
      path.join(history, `${id}.outcome.gz`),
      "outcome",
      { run: id, startedAt: now().toISOString(), full: number === 1, uncertain: false },
      onePage(lines.toSorted((a, b) => (a.path < b.path ? -1 : 1))),
    );
  };

  const put = async (files: readonly Put[]): Promise<void> => {
    const byName = new Map(files.map((file) => [file.name, file]));
    await run([...byName.keys()], async (name, old) => {
      const { content = "", modifiedAt = 0 } = byName.get(name) ?? {};
      const file = at(destination, name);
      await mkdir(parentOf(file), { recursive: true });
      await writeFile(file, content);
      const time = new Date(modifiedAt);
      await utimes(file, time, time);
      const size = Buffer.byteLength(content);
      return { path: name, kind: old ? "change" : "add", size, time: time.toISOString() };
    });
  };
  const remove = async (names: readonly RawPath[]): Promise<void> =>
    run(names, async (name) => ({ path: name, kind: "delete", size: -1, time: "" }));
  const change: MadeStore["change"] = async ({ hide, restore }) => {
    const failed = await store.changeCurrent([
      ...hide.map((name) => ({ kind: "nothing", name }) as const),
      ...restore.map((version) => ({ kind: "version", version }) as const),
    ]);
    assert.deepEqual([...failed], []);
  };
  return { store, put, remove, change, step: async () => {} };
}

/** The bytes of a stored name on disk. */
function at(directory: string, name: RawPath): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(systemFromRaw(name), "latin1")]);
}

function parentOf(file: Buffer): Buffer {
  return file.subarray(0, file.lastIndexOf(0x2f));
}
