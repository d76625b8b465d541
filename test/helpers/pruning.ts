// Prunes a store in memory as rclone-prune does, with the state of a backup in a directory.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, mkdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { histories } from "../../lib/history/group.ts";
import type { FileHistory } from "../../lib/history/history.ts";
import { nothingSeen } from "../../lib/jobs/prune/decide.ts";
import type { FileDecision, PruneOptions } from "../../lib/jobs/prune/options.ts";
import { planPrune } from "../../lib/jobs/prune/planned.ts";
import { apply, type Applied } from "../../lib/retention/apply.ts";
import { makeRetention } from "../../lib/retention/match.ts";
import type { StoredVersion } from "../../lib/stores/store.ts";
import { parsePolicy } from "../../lib/units/policy.ts";
import { rawFromText } from "../../lib/units/rawpath.ts";
import { MemoryStore, plainNames } from "./memorystore.ts";
import { day, now } from "./retention.ts";

export interface Pruning {
  /** The file of remembered ends. */
  readonly ends: string;
  readonly warnings: string[];
  /** One run; a dry run has no `applied`. */
  readonly run: (
    store: MemoryStore,
    policy: string,
    options?: Partial<PruneOptions> & { readonly killedBefore?: "removals" },
  ) => Promise<Pruned>;
}

export interface Pruned {
  readonly decisions: readonly FileDecision[];
  readonly applied: Applied | undefined;
}

/** Makes the state of a backup that is only pruned. */
export async function makePruning(t: TestContext): Promise<Pruning> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-prune-"));
  t.after(async () => rm(directory, { recursive: true, force: true }));
  const files = { ends: path.join(directory, "ends.gz") };
  const scratch = path.join(directory, "scratch");
  await mkdir(scratch);
  const warnings: string[] = [];
  const events = { warn: (text: string) => warnings.push(text), detail() {}, progress() {} };
  return {
    ends: files.ends,
    warnings,
    run: async (store, policy, { killedBefore, ...given } = {}) => {
      const decisions: FileDecision[] = [];
      const options: PruneOptions = {
        ...{ dryRun: false, purge: false, explain: [], files: true, unfinished: false },
        ...{ allowClock: false, ...given },
        onDecisions: async (page) => void decisions.push(...page),
      };
      const retention = await makeRetention({
        policies: new Map([["its", parsePolicy(policy, "its")]]),
        retention: [{ pattern: "/", policy: "its", origin: "test:1" }],
      });
      const world = {
        ...{ names: plainNames, found: undefined, store, files, scratch },
        session: { world: { events } },
        histories: (prefix: FileHistory["name"], found = {}) =>
          histories(store.versions(prefix), plainNames, found),
      };
      const time = (await store.now()).getTime();
      const deciding = { options, retention, explained: [], now: time, seen: nothingSeen() };
      const plan = await planPrune(world, deciding, !options.dryRun);
      if (options.dryRun) return { decisions, applied: undefined };
      await plan.remember({ destination: "memory:", prunedAt: new Date(time).toISOString() });
      if (killedBefore === "removals") return { decisions, applied: undefined };
      return { decisions, applied: await apply(store, plan.removals(), { batch: 3 }) };
    },
  };
}

/** The ids of what was decided to go. */
export function idsOf(decisions: readonly FileDecision[]): string[] {
  return decisions.map(({ version }: { readonly version: StoredVersion }) => version.id);
}

/** The history of the only file of a store. */
export async function onlyHistory(store: MemoryStore): Promise<FileHistory> {
  for await (const [history] of histories(store.versions(rawFromText("")), plainNames))
    if (history !== undefined) return history;
  return assert.fail("expected a file");
}

/** Files with versions so many days ago, the oldest first; a negative number is a deletion. */
export function storeOf(files: Readonly<Record<string, readonly number[]>>): MemoryStore {
  const store = new MemoryStore({ now, pageLength: 3 });
  for (const [name, days] of Object.entries(files))
    for (const each of days) {
      const kind = each < 0 ? "marker" : "file";
      const storedAt = now - Math.abs(each) * day;
      store.add(rawFromText(name), { kind, size: 0, modifiedAt: undefined, storedAt });
    }
  return store;
}

/** Under `7 *`, the one of 9 days stays as the oldest of its window, and all but the last go. */
export const changing = [9, 8, 7.5, 7.2, 7.1];

/** What is remembered, `name: days ago`; undefined where there is no file. */
export async function remembered({ ends }: Pruning): Promise<string[] | undefined> {
  if (!existsSync(ends)) return undefined;
  const [magic, header = "", ...rest] = gunzipSync(await readFile(ends))
    .toString()
    .split("\n");
  assert.equal(magic, "#rclone-backups ends 1");
  assert.match(header, /^#\{"destination":"memory:","prunedAt":"20\d\d-.*Z"\}$/);
  assert.deepEqual(rest.slice(-2), [`#end {"versions":${rest.length - 2}}`, ""]);
  return rest.slice(0, -2).map((line) => {
    const [name, , end] = line.split("\t");
    return `${name}: ${(now - Number(end)) / day}`;
  });
}
