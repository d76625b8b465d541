import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import * as v from "valibot";
import { cryptNames } from "../lib/crypt/cryptnames.ts";
import { rawFromBytes } from "../lib/units/rawpath.ts";
import { encryptedTree } from "../scripts/bench/b2names.ts";
import { compare, median } from "../scripts/bench/measure.ts";
import { caseNames, parseOptions } from "../scripts/bench/options.ts";
import { row, table } from "../scripts/bench/report.ts";
import { failureOf } from "./helpers/config-dir.ts";
import { compiled, projectRoot, run, start } from "./helpers/command.ts";
import { cacheDirectory, newRclone, oldRclone } from "./helpers/rclones.ts";

const tiny = [
  ...["--files", "40", "--many", "60", "--verify-size", "1M", "--runs", "1"],
  ...["--versions", "400", "--restore-files", "20", "--restore-size", "1M", "--backups", "2"],
  ...["--dump-size", "1M"],
];

const document = v.object({
  version: v.literal(1),
  kind: v.literal("benchmark"),
  machine: v.object({
    cpu: v.string(),
    cores: v.pipe(v.number(), v.minValue(1)),
    node: v.literal(process.versions.node),
    file_system: v.string(),
    rclone: v.object({ old: v.string(), new: v.string() }),
  }),
  results: v.array(
    v.object({
      case: v.picklist(caseNames),
      what: v.string(),
      rclone: v.nullable(v.string()),
      unit: v.picklist(["times", "seconds", "elapsed", "bytes", "rate"]),
      measured: v.pipe(v.number(), v.finite()),
      holds: v.nullable(v.boolean()),
      ours: v.array(v.pipe(v.number(), v.minValue(Number.MIN_VALUE))),
      bare: v.array(v.pipe(v.number(), v.minValue(Number.MIN_VALUE))),
    }),
  ),
});

interface Setting {
  readonly work: string;
  readonly json: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** An empty directory to work in, and how the benchmark is started there. */
async function setting(t: TestContext): Promise<Setting> {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-bench-test-"));
  t.after(async () => rm(root, { recursive: true, force: true }));
  const work = path.join(root, "work dir's");
  await mkdir(work);
  compiled("rclone-backup");
  const json = path.join(root, "figures.json");
  const script = path.join(projectRoot, "scripts/bench.ts");
  return {
    work,
    json,
    args: ["--import", "tsx", script, "--work", work, "--json", json],
    env: {
      HOME: root,
      RCLONE_OLD: oldRclone.path,
      RCLONE_NEW: newRclone.path,
      // The servers that a case starts are found there, or where a variable says.
      RCLONE_BACKUPS_TEST_CACHE: cacheDirectory(),
      ...Object.fromEntries(
        Object.entries(process.env).flatMap(([name, value]) =>
          name.startsWith("RCLONE_BACKUPS_TEST_") && value !== undefined ? [[name, value]] : [],
        ),
      ),
    },
  };
}

test("every case is measured, with both rclones where it is compared with rclone", async (t) => {
  const { work, json, args, env } = await setting(t);
  const result = await run(process.execPath, [...args, ...tiny], {
    cwd: projectRoot,
    env,
    timeout: 600_000,
  });
  assert.equal(result.code, 0, result.stderr);

  const { machine, results } = v.parse(document, JSON.parse(await readFile(json, "utf8")));
  const { old, new: current } = machine.rclone;
  assert.notEqual(old, current);
  assert.deepEqual(
    results.map((found) => [found.case, found.rclone, found.unit, found.ours.length]),
    [
      ["help", null, "times", 4],
      ["sync", old, "times", 1],
      ["sync", old, "bytes", 1],
      ["sync", current, "times", 1],
      ["sync", current, "bytes", 1],
      ["memory", current, "bytes", 1],
      ["memory", current, "bytes", 2],
      ["choose", current, "seconds", 1],
      ["choose", current, "bytes", 1],
      ["verify", old, "times", 1],
      ["verify", current, "times", 1],
      ["du", null, "elapsed", 1],
      ["du", null, "bytes", 1],
      ["names", null, "rate", 1],
      ["ledger", null, "elapsed", 1],
      ["ledger", null, "bytes", 1],
      ["status", null, "elapsed", 1],
      ["status", null, "bytes", 1],
      ["run", current, "times", 1],
      ["run", current, "times", 1],
      ["prune", current, "times", 1],
      ["prune", current, "times", 1],
      ["prune", current, "bytes", 1],
      ["prune", current, "bytes", 1],
      ["restore", current, "times", 1],
      ["restore", current, "bytes", 1],
      ["restore", current, "bytes", 1],
      ["restore", current, "bytes", 1],
      ["mongo", null, "times", 1],
      ["mongo", null, "times", 1],
      ["mongo", null, "bytes", 2],
      ["mongo", null, "times", 1],
      ["mongo", null, "times", 1],
      ["split", null, "times", 1],
      ["split", null, "times", 1],
      ["split", null, "times", 1],
      ["split", null, "bytes", 3],
    ],
  );
  for (const found of results) {
    if (found.unit === "bytes") {
      // Node itself takes more than 20 MB, and nobody would wait for pages of a gigabyte.
      assert.ok(found.measured > 20e6 && found.measured < 1e9, `${found.what}: ${found.measured}`);
    } else if (found.unit === "rate") assert.deepEqual(found.bare, [], found.what);
    else assert.equal(found.bare.length, found.ours.length, found.what);
  }

  const lines = result.stdout.split("\n").filter((line) => line.startsWith("| "));
  assert.equal(lines.length, results.length + 1);
  for (const [at, found] of results.entries())
    assert.ok(lines[at + 1]?.startsWith(`| ${found.what} `), lines[at + 1]);
  assert.match(result.stdout, /Fewer than five runs are no result/);
  assert.ok(result.stdout.includes(`Node ${process.versions.node}`), result.stdout);
  assert.deepEqual(await readdir(work), [], "it cleans up");
});

for (const [only, stage] of [
  ["sync", /first backup/],
  ["prune", /planning a prune/],
] as const) {
  test(`a benchmark that is interrupted cleans up and ends with 130 (${only})`, async (t) => {
    const { work, args, env } = await setting(t);
    const sizes = ["--files", "400", "--versions", "400"];
    const live = start(process.execPath, [...args, "--only", only, ...sizes], {
      cwd: projectRoot,
      env,
    });
    await live.waitFor(stage);
    live.killGroup("SIGINT");
    const { code, stderr } = await live.done;
    assert.equal(code, 130, stderr);
    assert.deepEqual(await readdir(work), []);
  });
}

test("a wrong option is told, and nothing is measured", async () => {
  for (const [args, message] of [
    [["--only", "speed"], /--only: expected one of help, sync, .*, found speed/],
    [["--runs", "0"], /--runs: expected a whole number above 0, found 0/],
    [["--verify-size", "4GB"], /expected a size such as 10G, found "4GB"/],
    [["--rclone", "1.60"], /--rclone: expected old or new, found 1.60/],
    [["--versions", "many"], /--versions: expected a whole number above 0, found many/],
    [["--restore-size", "10GB"], /expected a size such as 10G, found "10GB"/],
    [["--fast"], /--fast/],
    [["here"], /here/],
  ] as const) {
    const failure = await failureOf((async () => parseOptions(args, "/"))());
    assert.match(failure.message, message);
  }
});

test("options: every case unless some are named, and files are meant from where the user stands", () => {
  assert.deepEqual(parseOptions([], "/")?.cases, caseNames);
  const some = parseOptions(
    ["--only", "verify", "--only", "help", "--work", "w", "--json", "/j", "--verify-size", "2K"],
    "/there",
  );
  assert.deepEqual(some?.cases, ["help", "verify"]);
  assert.equal(some?.work, "/there/w");
  assert.equal(some?.json, "/j");
  assert.equal(some?.verifyBytes, 2048);
  assert.equal(parseOptions(["--help"], "/"), undefined);
});

test("options: the longest listing belongs to the whole benchmark, and to who asks for it", () => {
  for (const [args, most] of [
    [[], 5_000_000],
    [["--versions", "20"], 100],
    [["--only", "prune"], undefined],
    [["--only", "prune", "--most-versions", "30"], 30],
  ] as const)
    assert.equal(parseOptions(args, "/")?.mostVersions, most, args.join(" "));
});

test("medians, of each side and of the pairs", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  const pairs = { ours: [2, 30, 6], bare: [1, 10, 4] };
  const { ofMedians, ofPairs } = compare(pairs, (ours, bare) => ours / bare);
  assert.deepEqual([ofMedians, ofPairs], [1.5, 2]);
});

test("names of a listing are what crypt stores, in order, and no two alike", () => {
  const obscured = "YWFhYWFhYWFhYWFhYWFhYS1vYnNjdXJlZA";
  const name = encryptedTree(obscured, "top", 350);
  const stored = Array.from({ length: 350 }, (_, file) => rawFromBytes(name(file)));
  assert.deepEqual(stored, stored.toSorted());
  const plain = cryptNames(new Map([["password", obscured]])).decode(stored);
  assert.equal(new Set(plain).size, 350);
  for (const each of plain)
    assert.match(each ?? "", /^top\/user \d\/directory \d\/a file named \d{8}\.[a-z]{3}$/);
  assert.equal(name(0), stored[0], "whatever was asked for before");
});

test("the table says what holds and what does not", () => {
  const base = { case: "sync", what: "it", rclone: "1.60.1", ours: [1.3], bare: [1] } as const;
  const times = (measured: number, target: { atMost: number } | { atLeast: number } | "none") =>
    row({ ...base, unit: "times", measured, of_pairs: measured }, target);
  const rows = [
    times(1.2, { atMost: 1.2 }),
    times(1.201, { atMost: 1.2 }),
    times(0.95, { atLeast: 0.95 }),
    times(0.949, { atLeast: 0.95 }),
    times(9, "none"),
    row({ ...base, unit: "rate", bare: [], measured: 1e6 }, { atLeast: 1e6 }),
    row({ ...base, unit: "elapsed", measured: 3.01 }, { atMost: 3 }),
  ];
  assert.deepEqual(
    rows.map(({ holds }) => holds),
    [true, false, true, false, null, true, false],
  );
  const [heading, rule, first, second, ...others] = table(rows).split("\n");
  assert.match(
    heading ?? "",
    /^\| what \| rclone \| ours +\| compared with \| measured +\| demanded/,
  );
  assert.match(rule ?? "", /^\|-+\|/);
  assert.match(
    first ?? "",
    /\| it +\| 1.60.1 \| 1.30 s \| 1.00 s +\| 1.20 × .*\| at most 1.20 × +\| yes +\|/,
  );
  assert.match(second ?? "", /\| no +\|$/);
  assert.match(
    others[3] ?? "",
    /\| it +\| 1.60.1 +\| +\| +\| 1,000,000 a second +\| at least 1,000,000 a second +\| yes +\|/,
  );
  assert.match(others[4] ?? "", /\| 1.30 s +\| 1.00 s +\| 3.01 s +\| at most 3.00 s +\| no +\|/);
});
