// Stores of each kind for the model, filled as a backup fills them, their times told by a controlled clock.
import { mkdir, mkdtemp, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pMap from "p-map";
import { onePage } from "../../lib/manifest/pages.ts";
import { writeRunManifest, type RunLine } from "../../lib/manifest/runs.ts";
import { mendCutRuns } from "../../lib/stores/dir/mendrun.ts";
import { listRuns } from "../../lib/stores/dir/runs.ts";
import { currentId } from "../../lib/stores/dir/timeline.ts";
import type { Store, StoredVersion } from "../../lib/stores/store.ts";
import { rawFromText, textFromRaw } from "../../lib/units/rawpath.ts";
import { runId } from "../../lib/units/runid.ts";
import { startB2 } from "./b2/server.ts";
import { openOn as openB2On } from "./b2store.ts";
import { openDated } from "./dirstore.ts";
import { isTouch, type Change } from "./modelsequence.ts";
import { quickStart, type Rclone } from "./rclones.ts";
import { ask, makeBucket, putObject, type S3Server } from "./s3server.ts";
import { bucketName, openOn as openS3On } from "./s3store.ts";

/** What the model needs of a store. */
export type ModelStore = Pick<Store, "versions" | "open" | "remove" | "close">;

/** A place that runs leave files in. */
export interface World {
  readonly title: string;
  /** Whether another modification time alone is no new version. */
  readonly touchesInPlace: boolean;
  /** Whether nobody can tell of a run that was killed when it did what it did. */
  readonly doubtsKilled: boolean;
  /**
   * Runs a backup at a time: the first `done` changes happen. With `killed` that was its end, in the
   * middle of the next change.
   */
  run(time: number, changes: readonly Change[], done: number, killed: boolean): Promise<void>;
  /** The store as it is now; closed with the test. */
  open(): Promise<ModelStore>;
  /** The content of a version, by another way than the store's where there is one. */
  look(version: StoredVersion): Promise<string>;
}

/** Backblaze B2, by the server of the tests. */
export async function b2World(t: TestContext): Promise<World> {
  const server = await startB2(t);
  const store = await openB2On(t, server, { path: `${server.bucket}/back up` });
  return {
    title: "b2",
    touchesInPlace: false,
    doubtsKilled: false,
    async run(time, changes, done, killed) {
      server.clock.set(time);
      for (const { path: name, now } of changes.slice(0, done)) {
        const { modifiedAt } = now ?? {};
        if (now === undefined) server.hide(`back up/${name}`);
        else
          server.put(
            `back up/${name}`,
            now.content,
            modifiedAt === undefined ? {} : { modifiedAt },
          );
      }
      const next = changes[done];
      if (killed && next?.now !== undefined) server.startLarge(`back up/${next.path}`, ["a part"]);
    },
    open: async () => store,
    look: async ({ id }) => server.content(id).toString(),
  };
}

/**
 * A real S3 server, its times told as those of the runs in which they fall. `trusted` says that they
 * can be: versitygw gives each version the time at which it was superseded. Then a version came with
 * the run after which it was first seen.
 */
export async function s3World(t: TestContext, server: S3Server, trusted: boolean): Promise<World> {
  const bucket = bucketName();
  await makeBucket(server, bucket, "Enabled");
  const below = `${bucket}/back up`;
  const store = await openS3On(t, server, below);
  /** When each run began by the server's clock, and by ours. */
  const runs: { readonly real: number; readonly told: number }[] = [];
  const seen = new Map<string, number>();
  const shown = (version: StoredVersion): StoredVersion => ({
    ...version,
    storedAt:
      (trusted
        ? runs.findLast(({ real }) => real <= version.storedAt)?.told
        : seen.get(`${version.name} ${version.id}`)) ?? -1,
  });
  const change = async ({ path: name, now }: Change): Promise<unknown> =>
    now === undefined
      ? ask(server, "DELETE", `${below}/${name}`)
      : putObject(server, `${below}/${name}`, now.content, now.modifiedAt);
  return {
    title: server.title,
    touchesInPlace: false,
    doubtsKilled: false,
    async run(time, changes, done) {
      // The servers cut times to whole seconds, versitygw those of files alone.
      const begins = Math.floor(Date.now() / 1000 + (trusted ? 1 : 2)) * 1000;
      while (Date.now() < begins) await sleep(begins - Date.now());
      runs.push({ real: begins, told: time });
      await pMap(changes.slice(0, done), change, { concurrency: 8 });
      if (trusted) return;
      for await (const page of store.versions(rawFromText("")))
        for (const { name, id } of page)
          seen.set(`${name} ${id}`, seen.get(`${name} ${id}`) ?? time);
    },
    open: async () => ({
      async *versions(prefix, signal) {
        for await (const page of store.versions(prefix, signal)) yield page.map(shown);
      },
      open: (...given) => store.open(...given),
      remove: (...given) => store.remove(...given),
      close: async () => {},
    }),
    look: async (version) => text(await store.open(version)),
  };
}

/** Dated directories on the local disk, listed by the real rclone. */
export async function dirWorld(t: TestContext, rclone: Rclone): Promise<World> {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-model-"));
  t.after(async () => rm(root, { recursive: true, force: true }));
  const destination = path.join(root, "data");
  const history = `${destination}.history`;
  const scratch = path.join(root, "scratch");
  for (const place of [destination, history, scratch]) await mkdir(place);
  const env = { PATH: process.env["PATH"] ?? "", HOME: root, TZ: "UTC", ...quickStart };
  const tuning = {
    ...{ copyLinks: false, transfers: undefined, checkers: undefined, bwlimit: undefined },
    flags: [],
  };
  const context = {
    rclone: { program: rclone.path, env, common: [] },
    features: { version: "", fineTimes: rclone.version === "new" },
    ...{ tuning, destination, history, scratch },
  };
  let number = 0;

  const carryOut = async (id: string, change: Change): Promise<void> => {
    const { path: name, before, now } = change;
    const file = path.join(destination, name);
    if (before !== undefined && !isTouch(change)) await move(file, path.join(history, id, name));
    if (now === undefined) return;
    await mkdir(path.dirname(file), { recursive: true });
    if (!isTouch(change)) await writeFile(file, now.content);
    await utimes(file, now.modifiedAt / 1000, now.modifiedAt / 1000);
  };
  const write = async (
    kind: "intent" | "outcome",
    id: string,
    time: number,
    lines: readonly RunLine[],
  ): Promise<unknown> => {
    const full = kind === "outcome" && number === 1;
    const header = { run: id, startedAt: new Date(time).toISOString(), full, uncertain: false };
    const sorted = lines.toSorted((a, b) => (a.path < b.path ? -1 : 1));
    const file = path.join(history, `${id}.${kind}.gz`);
    return writeRunManifest(file, kind, header, onePage(sorted));
  };

  return {
    title: `dir, ${rclone.version} rclone`,
    touchesInPlace: true,
    doubtsKilled: true,
    async run(time, changes, done, killed) {
      number += 1;
      const id = runId(number, new Date(time));
      await write(
        "intent",
        id,
        time,
        changes.map((change) => lineOf(change, "intent")),
      );
      for (const change of changes.slice(0, done)) await carryOut(id, change);
      if (!killed) {
        await write(
          "outcome",
          id,
          time,
          changes.map((change) => lineOf(change, "outcome")),
        );
        return;
      }
      // rclone works on several at once.
      for (const { path: name, ...change } of changes.slice(done, done + 4))
        if (change.before !== undefined && change.now !== undefined && !isTouch(change))
          await move(path.join(destination, name), path.join(history, id, name));
      // What the next run does first.
      await mendCutRuns(context, await listRuns(context.rclone, history, tuning));
    },
    open: async () => openDated(t, { rclone, env }, { destination, history }),
    look: async ({ id, name }) => {
      const directory = id === currentId ? destination : path.join(history, id);
      return readFile(path.join(directory, textFromRaw(name)), "utf8");
    },
  };
}

async function move(from: string, to: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true });
  await rename(from, to);
}

function lineOf(change: Change, where: "intent" | "outcome"): RunLine {
  const { path: name, before, now } = change;
  const [size, modifiedAt] = [Buffer.byteLength((now ?? before)?.content ?? ""), now?.modifiedAt];
  const raw = rawFromText(name);
  const time = modifiedAt === undefined ? "" : new Date(modifiedAt).toISOString();
  if (now === undefined)
    return { path: raw, kind: "delete", size: where === "intent" ? size : -1, time };
  const kind =
    before === undefined ? "add" : isTouch(change) && where === "outcome" ? "touch" : "change";
  return { path: raw, kind, size, time };
}
