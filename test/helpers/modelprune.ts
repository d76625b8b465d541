// Prunes of a model's store, by the code of rclone-prune below its lock.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { histories } from "../../lib/history/group.ts";
import type { FileHistory } from "../../lib/history/history.ts";
import { nothingSeen } from "../../lib/jobs/prune/decide.ts";
import { planPrune } from "../../lib/jobs/prune/planned.ts";
import { apply } from "../../lib/retention/apply.ts";
import { builtInPolicy, parsePolicy } from "../../lib/units/policy.ts";
import type { RawPath } from "../../lib/units/rawpath.ts";
import { plainNames } from "./memorystore.ts";
import { checkVersions } from "./modelcheck.ts";
import { keptBy } from "./modelpolicy.ts";
import type { Sequence } from "./modelsequence.ts";
import type { ModelStore } from "./modelworld.ts";

/** What prunes keep from one to the next: when versions ended whose successors are gone. */
export class PruneState {
  readonly #directory: string;
  #prunes = 0;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async make(t: TestContext): Promise<PruneState> {
    const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-prunes-"));
    t.after(async () => rm(directory, { recursive: true, force: true }));
    return new PruneState(directory);
  }

  /**
   * Prunes each path by the policy that `policyOf` names. `killedAfter` is after how many calls of
   * the store it dies; undefined when it comes to its end.
   */
  async prune(
    store: ModelStore,
    policyOf: (path: RawPath) => string,
    now: number,
    killedAfter: number | undefined,
  ): Promise<void> {
    this.#prunes += 1;
    const scratch = path.join(this.#directory, `scratch ${this.#prunes}`);
    await mkdir(scratch);
    const events = {
      warn: (text: string) => assert.fail(`expected no warning, found ${text}`),
      detail: () => {},
      progress: () => {},
    };
    const world = {
      ...{ names: plainNames, found: undefined, scratch },
      files: { ends: path.join(this.#directory, "ends.gz") },
      ...{ store: { place: "the model" }, session: { world: { events } } },
      histories: (directory: RawPath) => histories(store.versions(directory), plainNames),
    };
    const retention = {
      choose: (file: RawPath) => ({ policy: policyNamed(policyOf(file)), line: undefined }),
      ...{ shadowed: [], idle: () => [] },
    };
    const options = {
      ...{ dryRun: false, purge: false, explain: [], files: true },
      ...{ unfinished: false, allowClock: true },
    };
    const deciding = { options, retention, explained: [], now, seen: nothingSeen() };
    const plan = await planPrune(world, deciding, true);
    await plan.remember({ destination: "model", prunedAt: new Date(now).toISOString() });
    let calls = 0;
    const applied = await apply(
      {
        remove: async (versions, signal) => {
          calls += 1;
          if (calls > (killedAfter ?? Infinity)) throw new Error("killed");
          return store.remove(versions, signal);
        },
      },
      plan.removals(),
    );
    assert.deepEqual([applied.failures, applied.gone], [[], 0]);
    if (killedAfter === undefined) assert.equal(applied.stopped, undefined);
    await rm(scratch, { recursive: true });
  }
}

function policyNamed(text: string): ReturnType<typeof parsePolicy> {
  return builtInPolicy(text) ?? parsePolicy(text);
}

/** Tells the model what a whole prune removed; throws unless that is just what the policy lets go. */
export function settle(
  { model, policy }: Sequence,
  name: string,
  history: FileHistory | undefined,
  now: number,
): void {
  const must = keptBy(policy, model, name, now);
  const left = new Set(history?.versions.map(({ from }) => from));
  for (const { from } of model.kept(name)) {
    const when = new Date(from).toISOString();
    const [wanted, found] = must.has(from) ? ["keeps", "removed"] : ["removes", "kept"];
    assert.equal(
      left.has(from),
      must.has(from),
      `${name}: expected that ${policy} ${wanted} the version of ${when}, found it ${found}`,
    );
    if (!must.has(from)) model.prune(name, from);
  }
  checkVersions(model, name, history);
}
