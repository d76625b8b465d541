import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { effectiveRules, quickRules, rulesText } from "../lib/rclone/filters.ts";
import { run } from "./helpers/command.ts";
import { rclones } from "./helpers/rclones.ts";

/*
 * The source is listed under the built-in rules in other words than the sync gets, which are
 * quicker. Both must let the same files through, or the guards would judge another plan.
 */

const leaves = [
  "a~",
  "~",
  "~a",
  "a~b",
  "~~",
  "a~\n",
  ".#",
  ".#x",
  "x.#y",
  ".x#",
  "#x",
  ".#x~",
  ".#\n",
  "\n.#x",
  "a\n.#x",
  "plain",
  "\u00E9~",
  "bad\u00FF~",
  ".#bad\u00FF",
].map((name) => Buffer.from(name, "latin1"));
const directories = ["", "d", "d~", ".#d", "~d~", "a.#d", "d/.#d/d~"];

for (const rclone of rclones) {
  test(`the quick rules let through what the rules do (${rclone.version} rclone)`, async (t) => {
    const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-test-"));
    t.after(async () => rm(root, { recursive: true, force: true }));
    const source = path.join(root, "source");
    for (const directory of directories) {
      await mkdir(path.join(source, directory), { recursive: true });
      for (const leaf of leaves) {
        const file = Buffer.concat([Buffer.from(`${path.join(source, directory)}/`), leaf]);
        await writeFile(file, "");
      }
    }
    const listed = async (name: string, rules: readonly string[]): Promise<string[]> => {
      const file = path.join(root, name);
      await writeFile(file, rulesText(rules));
      const args = ["lsf", "--config=/dev/null", "-R", "--files-only", "--filter-from", file];
      const { code, stdout } = await run(rclone.path, [...args, source]);
      assert.equal(code, 0);
      return stdout.split("\n").toSorted();
    };
    for (const filters of [[], ["+ /d~/**", "- d/**"]]) {
      const rules = effectiveRules({ filters, archive: true });
      const quick = quickRules(rules);
      assert.notDeepEqual(quick, rules);
      const expected = await listed("rules", rules);
      assert.deepEqual(await listed("quick", quick), expected);
      assert.ok(expected.includes("d~/plain") && expected.includes("x.#y"));
      assert.ok(!expected.some((name) => name.endsWith("~") || name.includes("/.#x")));
      assert.ok(expected.length > 20);
    }
  });
}
