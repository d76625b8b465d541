import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, dig, historyWorld, type HistoryWorld } from "./helpers/historyworld.ts";

/** Stores versions of so many days ago directly; 49 bytes are one byte encrypted. */
function stored(world: HistoryWorld, name: string, days: readonly number[], hidden?: number): void {
  for (const each of days)
    world.server.put(world.stored(name), Buffer.alloc(49), { at: ago(each) });
  if (hidden !== undefined) world.server.hide(world.stored(name), { at: ago(hidden) });
}

async function store(t: Parameters<typeof historyWorld>[0], more = ""): Promise<HistoryWorld> {
  const made = await historyWorld(t);
  made.present();
  await made.configure(more);
  return made;
}

test("a pattern that ends in / covers all below it, at any depth", async (t) => {
  const made = await store(t, "[retention]\n**/.git/ = one_week\n*.iso = none\n/docs = forever\n");
  const { server } = made;
  for (const name of ["a/.git/objects/x", ".git/y", "a/b/.git/z", "a/.gitignore", "a/.git"])
    stored(made, name, [100, 50]);
  for (const name of ["disk.iso", "below/disk.iso", "docs/old", "docs2/old"])
    stored(made, name, [5000, 10]);
  stored(made, "docs/dead", [5000], 4000);
  stored(made, "docs2/dead", [5000], 4000);
  const { stderr } = await made.expect(0, "prune", ["home"]);
  assert.equal(stderr, "");
  const left = new Map<string, number>();
  for (const { path } of made.entries()) left.set(path, (left.get(path) ?? 0) + 1);
  assert.deepEqual(Object.fromEntries(left), {
    ".git/y": 1,
    "a/.git": 2,
    "a/.git/objects/x": 1,
    "a/.gitignore": 2,
    "a/b/.git/z": 1,
    "below/disk.iso": 2,
    "disk.iso": 1,
    "docs/dead": 2,
    "docs/old": 2,
    "docs2/old": 2,
  });
  assert.equal(server.faults.pending(), 0);
});

test("--explain names the line and changes nothing; what matches nothing is said", async (t) => {
  const made = await store(t, "[retention]\ndocs/ = one_week\n");
  stored(made, "docs/a.txt", [100, 50, 2.5]);
  stored(made, "other", [100, 50]);
  const before = made.versions();
  const { stdout } = await made.expect(0, "prune", ["--explain", "docs/a.txt", "home"]);
  assert.deepEqual(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) =>
        line
          .replace(/\S+home\.conf/, "home.conf")
          .replace(/ +/g, " ")
          .replace(/\d{4}-\S+Z/, "TIME"),
      ),
    [
      "remove TIME 49 docs/a.txt (one_week, home.conf:5: more than 7 days old)",
      "keep TIME 49 docs/a.txt (one_week, home.conf:5: the only one from 2 to 3 days old)",
      "keep TIME 49 docs/a.txt (one_week, home.conf:5: it is the current version)",
    ],
  );
  const lines = await made.json("prune", ["--explain", "other", "home"]);
  assert.deepEqual(
    lines.slice(0, -1).map((line) => [line["path"], line["action"], line["policy"], line["line"]]),
    [
      ["other", "keep", "default", null],
      ["other", "keep", "default", null],
    ],
  );
  const none = await made.expect(1, "prune", ["--explain", "docs/b", "home"]);
  assert.match(none.stderr, /expected a file that docs\/b matches, found none/);
  assert.deepEqual(made.versions(), before);
});

test("lines that can never match, and lines that matched nothing, are told", async (t) => {
  const made = await store(t, "[retention]\ndocs = none\ndocs/a/ = forever\nnowhere/ = none\n");
  stored(made, "docs/a/b", [100, 50]);
  const { stderr } = await made.expect(0, "prune", ["-n", "home"]);
  assert.match(
    stderr,
    /home\.conf:6: docs\/a\/ can never match: docs \(\S+home\.conf:5\) takes all of it/,
  );
  assert.match(stderr, /home\.conf:7: nowhere\/ matches no stored file/);
  assert.equal(stderr.trimEnd().split("\n").length, 2);
  // Nothing is chosen by the lines with --purge, and only some of the files are seen with a range.
  for (const args of [["--purge", "--force"], ["--stop-at", "a"], ["--no-files"]]) {
    const other = await made.expect(0, "prune", ["-n", ...args, "home"]);
    assert.doesNotMatch(other.stderr, /matches no stored file/);
  }
});

test("--purge wants --force, and leaves what is current", async (t) => {
  const made = await store(t, "[retention]\n/ = forever\n");
  stored(made, "live", [100, 50]);
  stored(made, "dead", [100, 50], 1);
  const before = made.versions();
  for (const args of [
    ["--purge"],
    ["--force"],
    ["--purge", "--force", "--explain", "live"],
    ["--no-files", "--no-unfinished"],
  ])
    await made.expect(2, "prune", [...args, "home"]);
  assert.deepEqual(made.versions(), before);
  await made.expect(0, "prune", ["--purge", "--force", "home"]);
  assert.deepEqual(made.versions(), ["live upload 1"]);
});

test("--max-files, --start-at and --stop-at take a part; the dry run shows the same part", async (t) => {
  const made = await store(t, "[retention]\n/ = none\n");
  const all = ["a", "b", "c/d", "e", "f"];
  for (const name of all) stored(made, name, [3, 2, 1]);
  const order = [...new Set(made.entries().map(({ path }) => path))];
  const part = async (args: readonly string[]): Promise<unknown[]> => {
    const dry = await made.json("prune", ["-n", ...args, "home"]);
    const real = await made.json("prune", [...args, "home"]);
    const [dryIds, ids] = [dry, real].map((lines) => lines.slice(0, -1).map((line) => line["id"]));
    assert.deepEqual(dryIds, ids);
    assert.equal(dig(real.at(-1), "removed", "versions"), ids?.length);
    assert.equal(real.at(-1)?.["more"], dry.at(-1)?.["more"]);
    return [...new Set(real.slice(0, -1).map((line) => line["path"]))];
  };
  assert.deepEqual(await part(["--start-at", order[3] ?? ""]), order.slice(3));
  assert.deepEqual(await part(["--stop-at", order[1] ?? ""]), order.slice(0, 1));
  const told = await made.expect(0, "prune", ["-n", "--max-files", "1", "home"]);
  const summary = told.stdout.replace(/^remove .*\n/gm, "");
  assert.match(
    summary,
    /^would remove 2 versions \(98 B\) of \d+ versions of \d files\nstopped at --max-files: there is more to remove\n$/,
  );
  assert.deepEqual(await part(["--max-files", "1"]), order.slice(1, 2));
  assert.deepEqual(await part([]), order.slice(2, 3));
  assert.deepEqual(
    made.entries().map(({ path }) => path),
    order,
  );
});

test("unfinished uploads go when no part came for a day, and only those of this backup", async (t) => {
  const made = await store(t);
  const { server } = made;
  stored(made, "live", [1]);
  server.startLarge(made.stored("idle"), ["x".repeat(10)], { at: ago(3) });
  server.startLarge(made.stored("young"), ["x"], { at: ago(0.5) });
  server.startLarge("some where/no name of ours", ["x"], { at: ago(3) });
  server.startLarge("some where else/idle", ["x"], { at: ago(3) });
  const begun = (): string[] =>
    server
      .versions()
      .filter(({ action }) => action === "start")
      .map(({ fileName }) => fileName);
  const young = [made.stored("young"), "some where/no name of ours", "some where else/idle"];
  const dry = await made.expect(0, "prune", ["-n", "home"]);
  assert.match(dry.stdout, /^would cancel 1 unfinished upload \(10 B\)$/m);
  await made.expect(0, "prune", ["--no-unfinished", "home"]);
  assert.equal(begun().length, 4);
  const told = await made.json("prune", ["--no-files", "home"]);
  assert.deepEqual(told.at(-1)?.["unfinished"], { cancelled: 1, bytes: 10 });
  assert.deepEqual(begun().toSorted(), young.toSorted());
});
