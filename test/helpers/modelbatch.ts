// Random sequences side by side in one store: run, killed, pruned, and looked at as of random times.
import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { histories } from "../../lib/history/group.ts";
import type { FileHistory } from "../../lib/history/history.ts";
import { rawFromText, textFromRaw, type RawPath } from "../../lib/units/rawpath.ts";
import { plainNames } from "./memorystore.ts";
import { PruneState, settle } from "./modelprune.ts";
import { isTouch, Sequence, type Change } from "./modelsequence.ts";
import { checkAt, checkVersions } from "./modelcheck.ts";
import type { ModelStore, World } from "./modelworld.ts";
import { generator } from "./restoring.ts";

const hour = 3_600_000;
const day = 24 * hour;

export interface Batch {
  readonly base: number;
  readonly indexes: readonly number[];
  readonly names: readonly string[];
  readonly steps: number;
  /** How many versions of each sequence are read through the store. */
  readonly reads: number;
  /** Told of a sequence that went wrong: how to run it again, and what was done. */
  readonly onFailure: (message: string) => void;
}

/** One backup of all sequences, and what comes after it. */
interface Step {
  readonly time: number;
  readonly killed: boolean;
  readonly pruneAt: number | undefined;
  /** After how many calls a first try to prune dies. */
  readonly pruneKilled: number | undefined;
}

/** When the runs of a batch are: the same for each sequence, so that one can be run again alone. */
function schedule(base: number, count: number): Step[] {
  const random = generator(base);
  let time = Date.UTC(2025, 0, 1, 3);
  const times: number[] = [];
  return Array.from({ length: count }, (_, at) => {
    const apart = random() < 0.2 ? 12 * day : 2 * day;
    time += Math.ceil((hour + random() * apart) / 1000) * 1000;
    const ran = time;
    times.push(ran);
    const killed = at > 0 && at < count - 1 && random() < 0.3;
    if (killed || at < 2 || random() < 0.5)
      return { time: ran, killed, pruneAt: undefined, pruneKilled: undefined };
    // Some at the very end of a window.
    const earlier = times[Math.floor(random() * times.length)] ?? ran;
    time =
      random() < 0.6
        ? earlier + Math.ceil((ran - earlier) / day) * day
        : ran + Math.floor(random() * 40) * hour;
    const pruneKilled = random() < 0.3 ? Math.floor(random() * 3) : undefined;
    return { time: ran, killed, pruneAt: time, pruneKilled };
  });
}

/** Runs the sequences to their end and throws for the first of them that went wrong. */
export async function runBatch(
  t: TestContext,
  world: World,
  batch: Batch,
): Promise<{ versions: number; looks: number }> {
  const sequences = batch.indexes.map((index) => new Sequence(batch.base, index, batch.names));
  const doubts: { change: Change; sequence: Sequence; from: number }[] = [];
  const state = await PruneState.make(t);
  const totals = { versions: 0, looks: 0 };
  const steps = schedule(batch.base, batch.steps);
  for (const [at, step] of steps.entries()) {
    const { time, killed } = step;
    for (const { sequence, change, from } of doubts.splice(0))
      sequence.model.doubt(change.path, from, time, [change.before, change.now]);
    const done: Change[] = [];
    const left: Change[] = [];
    for (const sequence of sequences) {
      sequence.log.push(
        `-- step ${at}, ${new Date(time).toISOString()}${killed ? ", killed" : ""}`,
      );
      sequence.operate(time);
      const changes = sequence.changes();
      const cut = killed ? Math.floor(sequence.random() * (changes.length + 1)) : changes.length;
      for (const [index, change] of changes.entries()) {
        if (killed && world.doubtsKilled) doubts.push({ change, sequence, from: time });
        if (index >= cut) left.push(change);
        else {
          done.push(change);
          record(world, sequence, change, time);
        }
      }
    }
    await world.run(time, [...done, ...left], done.length, killed);
    if (step.pruneAt !== undefined) await pruneAll(world, sequences, step, state, batch);
  }
  const store = await world.open();
  const found = await historiesOf(store);
  for (const sequence of sequences)
    await guarded(batch, sequence, async () => {
      await lookBack(world, store, sequence, found, steps, batch.reads, totals);
    });
  assertOnlyKnown(found, sequences);
  await store.close();
  return totals;
}

function record(world: World, { model }: Sequence, change: Change, time: number): void {
  const { path, now } = change;
  if (world.touchesInPlace && isTouch(change) && now !== undefined)
    model.touch(path, now.modifiedAt);
  else model.set(path, time, now);
}

async function historiesOf(store: ModelStore): Promise<Map<string, FileHistory>> {
  const found = new Map<string, FileHistory>();
  for await (const page of histories(store.versions(rawFromText("")), plainNames))
    for (const history of page) found.set(textFromRaw(history.path), history);
  return found;
}

function assertOnlyKnown(
  found: ReadonlyMap<string, FileHistory>,
  sequences: readonly Sequence[],
): void {
  const known = new Set(sequences.flatMap(({ model }) => model.paths));
  assert.deepEqual(
    [...found.keys()].filter((path) => !known.has(path)),
    [],
  );
}

/** Prunes every sequence by its policy, and holds what is left against what must be. */
async function pruneAll(
  world: World,
  sequences: readonly Sequence[],
  { pruneAt: now = 0, pruneKilled }: Step,
  state: PruneState,
  batch: Batch,
): Promise<void> {
  const policies = new Map(sequences.map(({ directory, policy }) => [directory, policy]));
  const policyOf = (path: RawPath): string => policies.get(path.slice(0, 5)) ?? "forever";
  for (const { log, policy } of sequences)
    log.push(`prune by ${policy} at ${new Date(now).toISOString()}`);
  for (const killedAfter of pruneKilled === undefined ? [undefined] : [pruneKilled, undefined]) {
    const store = await world.open();
    await state.prune(store, policyOf, now, killedAfter);
    await store.close();
  }
  const store = await world.open();
  const after = await historiesOf(store);
  for (const sequence of sequences)
    await guarded(batch, sequence, async () => {
      for (const path of sequence.model.paths) settle(sequence, path, after.get(path), now);
    });
  await store.close();
}

/** Compares every path of a sequence at many times, and reads some versions. */
async function lookBack(
  world: World,
  store: ModelStore,
  { model, random }: Sequence,
  found: ReadonlyMap<string, FileHistory>,
  steps: readonly Step[],
  reads: number,
  totals: { versions: number; looks: number },
): Promise<void> {
  const first = (steps[0]?.time ?? 0) - day;
  const last = (steps.at(-1)?.time ?? 0) + day;
  const times = [
    ...Array.from({ length: 6 }, () => Math.floor(first + random() * (last - first))),
    ...steps.flatMap(({ time }) => [time - 1, time]),
    last,
  ];
  for (const path of model.paths) {
    const history = found.get(path);
    checkVersions(model, path, history);
    const versions = history?.versions ?? [];
    totals.versions += versions.length;
    for (const [index, version] of versions.entries()) {
      const content = await world.look(version.stored);
      assert.equal(content, model.kept(path).at(-1 - index)?.file.content, path);
    }
    for (const time of times) checkAt(model, path, history, time);
    totals.looks += times.length;
  }
  for (let turn = 0; turn < reads; turn += 1) {
    const path = model.paths[Math.floor(random() * model.paths.length)];
    const time = times[Math.floor(random() * times.length)] ?? 0;
    if (path === undefined) continue;
    const version = checkAt(model, path, found.get(path), time);
    if (version === undefined) continue;
    const file = model.versions(path).find(({ from }) => from === version.from)?.file;
    assert.equal(await text(await store.open(version.stored)), file?.content, path);
  }
}

async function guarded(batch: Batch, sequence: Sequence, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    batch.onFailure(`${sequence.directory}:\n${sequence.log.join("\n")}`);
    throw error;
  }
}
