import { randomInt } from "node:crypto";
import { test, type TestContext } from "node:test";
import { b2Place, CommandBackup, dirPlace, s3Place, type Place } from "./helpers/modelcommands.ts";
import { Sequence } from "./helpers/modelsequence.ts";
import { newRclone, oldRclone, type Rclone } from "./helpers/rclones.ts";
import { generator } from "./helpers/restoring.ts";

/*
 * The model of test/model.test.ts held against the real commands and the real rclone: random changes of a
 * source, backups of which some are killed with -9 and run again, prunes, restores as of random
 * times, and a roll-back at the end. Where a run was killed, each file that it touched may be as before or
 * after it in that span of time.
 *
 * All sequences of a test are directories of one source. What goes wrong names
 * MODEL_SEED=BASE:INDEX; with that in the environment just this sequence is run again, as far as kills can be
 * repeated, with MODEL_SEED=BASE all of them.
 */

const [given, only] = (process.env["MODEL_SEED"] ?? "").split(":");
const base = given === undefined || given === "" ? randomInt(2 ** 31) : Number(given);
const sequences = 30;
const nights = 5;

const names = ["a", "b b", "dir/c", "dir/deep/ü", "#d", "dir/Ünï 日本", "e[1]*{x}", "plus+ &%20"];

const places: readonly (readonly [
  string,
  Rclone,
  (t: TestContext, rclone: Rclone) => Promise<Place>,
])[] = [
  ["b2", oldRclone, b2Place],
  ["s3", newRclone, s3Place],
  ["dir", oldRclone, dirPlace],
];

for (const [title, rclone, make] of places)
  test(`${title}: the commands keep to the model (${rclone.version} rclone)`, async (t) => {
    const indexes = only === undefined ? [...Array(sequences).keys()] : [Number(only)];
    t.diagnostic(`MODEL_SEED=${base}, ${indexes.length} sequences`);
    const random = generator(base);
    const list = indexes.map((index) => new Sequence(base, index, names));
    const backup = new CommandBackup(await make(t, rclone), list, random, (sequence) =>
      t.diagnostic(
        `MODEL_SEED=${base}:${sequence.index} runs this sequence again:\n${sequence.log.join("\n")}`,
      ),
    );
    await backup.begin();
    const pruneAfter = 2 + Math.floor(random() * 2);
    for (let night = 0; night < nights; night += 1) {
      await backup.night(night === 1 || night === 3);
      if (night === pruneAfter) {
        await backup.prune();
        await backup.check(undefined);
        await backup.check(backup.someTime());
      }
    }
    await backup.check(undefined);
    for (let look = 0; look < 2; look += 1) await backup.check(backup.someTime());
    const [back, before] = [backup.someTime(), backup.someTime()];
    await backup.rollBack(back);
    // Now it is as it was then, and what had been in between is still there.
    await backup.check(undefined, back);
    await backup.check(before);
    t.diagnostic(`killed during the sync: ${backup.kills.sync}, later: ${backup.kills.later}`);
  });
