// Names that the store writes otherwise than rclone shows them: its order is not theirs, and every
// command over the history goes by it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, dig, historyWorld, type HistoryWorld } from "./helpers/historyworld.ts";

/** In the order of the service, which has U+FF3C for a backslash. */
const names = ["aZ", "ab", "a\\z", "a\\z\\y", "b"];

function put(made: HistoryWorld, days: readonly number[]): void {
  for (const name of names)
    for (const each of days)
      made.server.put(`some where/data/${name.replaceAll("\\", "\uff3c")}`, "x".repeat(10 * each), {
        at: ago(each),
      });
}

test("backslashes on b2: all commands over the history know the files", async (t) => {
  const made = await historyWorld(t, { kind: "plain" });
  made.present();
  await made.configure("[retention]\n/ = weeks\n[policies]\nweeks = 7 *\n");
  put(made, [9, 8, 7.6, 7.4, 7.2]);
  const removed = async (args: readonly string[]): Promise<unknown[]> => {
    const lines = await made.json("prune", [...args, "home"]);
    assert.equal(dig(lines.at(-1), "removed", "versions"), lines.length - 1);
    return [...new Set(lines.slice(0, -1).map((line) => line["path"]))];
  };
  assert.deepEqual(await removed(["--stop-at", "a\\z"]), ["aZ", "ab"]);
  assert.deepEqual(await removed(["--start-at", "a\\z\\y"]), ["a\\z\\y", "b"]);
  assert.deepEqual(await removed([]), ["a\\z"]);
  assert.deepEqual(await removed([]), []);
  // What is remembered of them is found again, in the same order.
  put(made, [5, 4]);
  const explained = await made.json("prune", ["--explain", "a\\\\z", "home"]);
  assert.ok(explained.length > 2);
  await made.expect(0, "du", ["home"]);
  const list = await made.expect(0, "restore", ["--list", "home"]);
  for (const name of names) assert.ok(list.stdout.includes(name), name);
  const asOf = new Date(ago(4.5)).toISOString();
  const recovered = await made.expect(0, "recover", ["--yes", "--as-of", asOf, "home"]);
  assert.match(recovered.stdout, /^done for 5 of 5 files/);
});
