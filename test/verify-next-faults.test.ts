import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, readFile, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import * as v from "valibot";
import { nightOf, stateFile, stateJson, verifiedOn } from "./helpers/nightly.ts";
import { oldRclone } from "./helpers/rclones.ts";
import { bytes, makeBacked } from "./helpers/verification.ts";
import type { Backed } from "./helpers/verification.ts";

const files = { a: bytes(1000, 1), b: bytes(700, 2), c: bytes(400, 3), large: bytes(200_000, 4) };
const count = v.object({ files: v.number(), bytes: v.number() });

function never(backed: Backed): number {
  return v.parse(v.object({ never: count }), stateJson(backed, "coverage.json")).never.files;
}

test("damaged ledger files are set aside, told, and made anew", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  await nightOf(backed, "2030-01-01", 50_000);
  const ledger = stateFile(backed, "ledger");
  await truncate(ledger, (await readFile(ledger)).length - 7);
  await writeFile(stateFile(backed, "parts.json"), "{");
  await writeFile(stateFile(backed, "coverage.json"), "");

  const dry = await backed.backup(["-n", "--verify-next", "50K", "b"]);
  assert.equal(dry.code, 0);
  assert.match(dry.stderr, /expected a ledger, found a damaged file/);
  assert.ok(existsSync(ledger), "a dry run sets nothing aside");

  const { result, warnings } = await nightOf(backed, "2030-01-02", 50_000);
  assert.equal(result.outcome, "done");
  assert.deepEqual(
    warnings.map(
      (text) => /expected (.*?), found a damaged file; it is kept as .*\.damaged/.exec(text)?.[1],
    ),
    ["a ledger", "parts of large files", "a coverage"],
  );
  for (const name of ["ledger", "parts.json", "coverage.json"])
    assert.ok(existsSync(stateFile(backed, `${name}.damaged`)), name);
  assert.equal(never(backed), 1);
  assert.deepEqual((await nightOf(backed, "2030-01-03", 200_000)).warnings, []);
  assert.equal(never(backed), 0);
});

test("a verification that is killed leaves the ledger as it was, and the next one goes on", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  await nightOf(backed, "2026-01-01", 2000);
  const before = await readFile(stateFile(backed, "ledger"));
  await backed.double('case $1 in check) touch "$0.checks"; sleep 60;; esac\nexec "$REAL" "$@"\n');
  const live = backed.startBackup(["--verify-next", "1M", "b"]);
  while (!existsSync(path.join(backed.bin, "rclone.checks")))
    await new Promise((resolve) => setTimeout(resolve, 20));
  process.kill(live.pid, "SIGKILL");
  await live.done;
  assert.deepEqual(await readFile(stateFile(backed, "ledger")), before);
  await backed.double('exec "$REAL" "$@"\n');
  const { code, stderr } = await backed.backup(["--verify-next", "1M", "b"]);
  assert.equal(code, 0, stderr);
  assert.equal(never(backed), 0);
});

test("two verifications at once both write down what they proved", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  await backed.writeConfig(
    "few",
    `${await readFile(path.join(backed.config, "b.conf"), "utf8")}[filters]\n+ /large\n- *\n`,
  );
  const results = await Promise.all([
    backed.backup(["--verify", "all", "few"]),
    backed.backup(["--verify-next", "2800", "b"]),
    backed.backup(["--verify", "files=1", "b"]),
  ]);
  for (const { code, stderr } of results) assert.equal(code, 0, stderr);
  await nightOf(backed, "2026-01-01", 0);
  assert.equal(never(backed), 0);
});

test("a first look that is wrong is no mismatch; what two looks find is mended and proved again", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  const once = path.join(backed.root, "once");
  // The first download goes wrong.
  await backed.double(`case $* in *' check '*|check*) if [ ! -e '${once}' ]; then
  touch '${once}'
  for arg; do [ "$last" = --combined ] && printf '* a\\n= b\\n= c\\n' >"$arg"; last=$arg; done
  exit 1
fi;; esac
exec "$REAL" "$@"
`);
  const { result } = await nightOf(backed, "2030-01-01", 2800);
  assert.deepEqual([result.outcome, result.verified.files], ["done", 3]);
  assert.equal(result.next?.spent.bytes, 3800, "the second look costs");

  await backed.double('exec "$REAL" "$@"\n');
  await backed.rot("b");
  const found = await nightOf(backed, "2030-01-02", 300_000);
  assert.equal(found.result.outcome, "difference");
  assert.deepEqual(
    found.result.differences.map((one) => [one.path, one.kind]),
    [["b", "damaged"]],
  );
  assert.equal(never(backed), 1, "it counts as never verified");
  assert.ok(existsSync(stateFile(backed, "mend.list")));
  await verifiedOn(backed, "2030-01-03", "files=1");
  assert.ok(existsSync(stateFile(backed, "mend.list")), "until it is proved");
  await backed.backUp();
  await nightOf(backed, "2030-01-04", 0);
  assert.equal(never(backed), 0, "mended, read back, and in the ledger");
});

test("what can't be compared does not take the budget of every night", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  await rm(path.join(backed.source, "a"));
  const chosen = async (day: string): Promise<number> => {
    const { result } = await nightOf(backed, day, 2100);
    assert.equal(result.outcome, "done", "it was deleted since the backup: no mismatch");
    return result.chosen.bytes;
  };
  assert.equal(await chosen("2030-01-01"), 2100);
  const { vain } = v.parse(
    v.object({ vain: v.array(v.object({ path: v.string(), day: v.string() })) }),
    stateJson(backed, "parts.json"),
  );
  assert.deepEqual(
    vain.map(({ path: name, day }) => [name, day]),
    [["a", "2030-01-01"]],
  );
  const { result } = await nightOf(backed, "2030-01-02", 500_000);
  assert.deepEqual([result.changed, result.chosen.files], [[], 3]);
  const later = await nightOf(backed, "2030-01-08", 500_000);
  assert.deepEqual(later.result.changed, ["a"], "after a week it is tried again");
});

test("a file that can't be read is an error and costs no other file its turn", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  await chmod(path.join(backed.source, "large"), 0o000);
  const run = async (): Promise<{ code: number | null; stderr: string }> =>
    backed.backup(["--verify-next", "100K", "b"], { unprivileged: true });
  const first = await run();
  assert.equal(first.code, 3, first.stderr);
  assert.match(first.stderr, /^ {2}large: could not be compared \(.*permission denied/m);
  assert.equal((await run()).code, 0);
});

test("a ledger by a clock that was ahead is read back first", async (t) => {
  const backed = await makeBacked(t, { rclone: oldRclone, files });
  await verifiedOn(backed, "2039-01-01", "all");
  const { result } = await nightOf(backed, "2030-01-01", 2000);
  assert.deepEqual(
    result.next?.coverage?.days.map(({ day }) => day),
    ["1970-01-02", "2030-01-01"],
  );
});
