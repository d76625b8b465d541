import { randomInt } from "node:crypto";
import { test, type TestContext } from "node:test";
import { startMoto } from "./helpers/moto.ts";
import { runBatch } from "./helpers/modelbatch.ts";
import { b2World, dirWorld, s3World, type World } from "./helpers/modelworld.ts";
import { rclones } from "./helpers/rclones.ts";
import { startVersitygw } from "./helpers/versitygw.ts";

/*
 * Random sequences of writes, deletions, recreations, touches, backups, killed backups and prunes on
 * every kind of store, held against a plain model with a clock of its own (test/helpers/model.ts):
 * which versions there are, which of them a prune leaves, and what was there at any time.
 *
 * Each sequence lives below a directory of its own, and all of a batch share their runs. What goes wrong names
 * MODEL_SEED=BASE:INDEX; `MODEL_SEED=BASE:INDEX node --import tsx --test test/model.test.ts` runs
 * just that sequence again, MODEL_SEED=BASE all of a batch. MODEL_FACTOR multiplies their number.
 */

const [given, only] = (process.env["MODEL_SEED"] ?? "").split(":");
const base = given === undefined || given === "" ? randomInt(2 ** 31) : Number(given);
const factor = Number(process.env["MODEL_FACTOR"] ?? 1);

const names = ["a", "b b", "dir/c", "dir/deep/ü", "#d", "dir/Ünï 日本", "e[1]*", "plus+ &%20"];

interface Kind {
  readonly title: string;
  readonly make: (t: TestContext) => Promise<World>;
  readonly sequences: number;
  readonly steps: number;
  readonly reads: number;
}

const kinds: readonly Kind[] = [
  { title: "b2", make: b2World, sequences: 780, steps: 16, reads: 1 },
  {
    title: "s3 (moto)",
    make: async (t) => s3World(t, await startMoto(t), true),
    ...{ sequences: 60, steps: 7, reads: 1 },
  },
  {
    title: "s3 (versitygw)",
    make: async (t) => s3World(t, await startVersitygw(t), false),
    ...{ sequences: 60, steps: 7, reads: 1 },
  },
  ...rclones.map((rclone) => ({
    title: `dir, ${rclone.version} rclone`,
    make: (t: TestContext) => dirWorld(t, rclone),
    ...{ sequences: 60, steps: 8, reads: 0 },
  })),
];

for (const { title, make, sequences, steps, reads } of kinds)
  test(`${title}: any time comes back as the model says`, async (t) => {
    const indexes =
      only === undefined
        ? Array.from({ length: Math.ceil(sequences * factor) }, (_, index) => index)
        : [Number(only)];
    t.diagnostic(`MODEL_SEED=${base}, ${indexes.length} sequences`);
    const world = await make(t);
    const onFailure = (message: string): void =>
      t.diagnostic(
        `MODEL_SEED=${base}:${Number(message.slice(1, 5))} runs this sequence again: ${message}`,
      );
    const { versions, looks } = await runBatch(t, world, {
      base,
      indexes,
      names,
      steps,
      reads,
      onFailure,
    });
    t.diagnostic(`${versions} versions, ${looks} looks at a file as of a time`);
  });
