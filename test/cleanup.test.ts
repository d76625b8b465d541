import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { answer as answerTo } from "./helpers/asked.ts";
import { run, type Result } from "./helpers/command.ts";
import {
  ago,
  dig,
  historyWorld,
  type HistoryWorld,
  type WorldOptions,
} from "./helpers/historyworld.ts";
import { rclones } from "./helpers/rclones.ts";

/** Two versions of each file, the older 40 days old, all current but those below dead/. */
async function filled(t: TestContext, options: WorldOptions = {}): Promise<HistoryWorld> {
  const world = await historyWorld(t, options);
  world.present();
  for (const name of ["foo", "foobar", "dir/a", "dir/b/c", "dir2/a", "*", "dead/x", "new␊line"]) {
    for (const days of [40, 20])
      world.server.put(world.stored(name), Buffer.alloc(49), { at: ago(days) });
    if (name.startsWith("dead/")) world.server.hide(world.stored(name), { at: ago(10) });
  }
  return world;
}

/** Asks on a terminal whether the old versions of foo and dir go, and answers once `meanwhile` is done. */
async function answer(
  world: HistoryWorld,
  typed: string,
  { args = [], meanwhile = () => {} }: { args?: readonly string[]; meanwhile?: () => void } = {},
): Promise<Result> {
  return answerTo(world, "cleanup", { args: [...args, "home", "foo", "dir"], typed, meanwhile });
}

/** What is gone of what was there. */
async function gone(world: HistoryWorld, act: () => Promise<unknown>): Promise<string[]> {
  const before = world.versions();
  await act();
  const left = world.versions();
  return before.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

for (const kind of ["crypt", "plain", "bucket"] as const) {
  test(`old versions of whole paths go, and foo is never foobar (${kind})`, async (t) => {
    const world = await filled(t, { kind });
    const size = kind === "crypt" ? 1 : 49;
    const old = (name: string): string => `${name} upload ${size}`;
    const clean =
      (...args: string[]) =>
      () =>
        world.expect(0, "cleanup", ["--yes", "home", ...args]);
    assert.deepEqual(await gone(world, clean("-n", "foo", "dir")), []);
    assert.deepEqual(await gone(world, clean("foo")), [old("foo")]);
    assert.deepEqual(await gone(world, clean("*")), [old("*")]);
    assert.deepEqual(await gone(world, clean("dir", "dir/", "dir/b", "dir/a")), [
      old("dir/a"),
      old("dir/b/c"),
    ]);
    assert.deepEqual(await gone(world, clean("new␊line")), [old("new␊line")]);
    assert.deepEqual(await gone(world, clean("dead")), [
      "dead/x hide",
      old("dead/x"),
      old("dead/x"),
    ]);
    const { stdout } = await world.expect(0, "cleanup", ["-n", "home", "foo"]);
    assert.equal(stdout, "nothing to remove: there are no old versions\n");
    assert.deepEqual(await gone(world, clean("--purge", "foo", "dir2/")), [
      old("dir2/a"),
      old("dir2/a"),
      old("foo"),
    ]);
  });
}

test("what matches nothing is said, and then nothing goes", async (t) => {
  const world = await filled(t);
  for (const name of ["fo", "foo/", "f*", "dir/b/c/d", "FOO", "foobar2"]) {
    const removed = await gone(world, async () => {
      const { stderr } = await world.expect(1, "cleanup", ["--yes", "home", "foobar", name]);
      assert.ok(stderr.includes(`expected a stored file or directory ${name}, found none`), stderr);
    });
    assert.deepEqual(removed, []);
  }
});

test("a path that could mean everything is none", async (t) => {
  const world = await filled(t);
  for (const name of [
    "",
    "/",
    ".",
    "..",
    "/foo",
    "../foo",
    "dir/../foo",
    "dir//a",
    "./foo",
    "dir/.",
    "//",
  ]) {
    const removed = await gone(world, async () => {
      const { stderr } = await world.expect(2, "cleanup", ["--yes", "--purge", "home", name]);
      assert.match(stderr, /expected a path from the top of the backup, found/);
    });
    assert.deepEqual(removed, []);
  }
  await world.expect(2, "cleanup", ["--yes", "home"]);
});

test("without a terminal and --yes nothing goes", async (t) => {
  const world = await filled(t);
  const removed = await gone(world, async () => {
    const { stdout, stderr } = await world.expect(5, "cleanup", ["home", "foo"], {
      input: "yes\n",
    });
    assert.match(stdout, /^remove \S+ +49 foo$/m);
    assert.match(
      stderr,
      /expected --yes or a terminal to ask on, found neither: nothing is removed without either/,
    );
  });
  assert.deepEqual(removed, []);
});

test("on a terminal only yes is yes", async (t) => {
  const world = await filled(t);
  for (const typed of ["no\n", "\n", "yesterday\n", "\u0003", "\u0004"]) {
    const removed = await gone(world, async () => {
      const { code, stdout } = await answer(world, typed);
      assert.ok(code === 5 || code === 130, `${JSON.stringify(typed)}: ${code}\n${stdout}`);
    });
    assert.deepEqual(removed, []);
  }
  const removed = await gone(world, async () => {
    assert.equal((await answer(world, "yes\n")).code, 0);
  });
  assert.deepEqual(removed, ["dir/a upload 1", "dir/b/c upload 1", "foo upload 1"]);
});

for (const args of [[], ["--purge"]]) {
  test(`what comes while it asks is not removed: ${args[0] ?? "old versions"}`, async (t) => {
    const world = await filled(t);
    const before = world.entries();
    const meanwhile = (): void => {
      for (const name of ["foo", "dir/a", "dir/later"])
        for (const size of [50, 51]) world.server.put(world.stored(name), Buffer.alloc(size));
      world.server.hide(world.stored("dir/b/c"));
    };
    assert.equal((await answer(world, "yes\n", { args, meanwhile })).code, 0);
    const left = new Set(world.entries().map(({ fileId }) => fileId));
    const named = before.filter(({ path }) => /^(?:foo|dir\/.*)$/.test(path));
    const shown = args.length > 0 ? named : named.filter(({ uploadTimestamp: at }) => at < ago(30));
    assert.deepEqual(
      before.filter(({ fileId }) => !left.has(fileId)),
      shown,
    );
    const came = world
      .entries()
      .filter(({ fileId }) => !before.some((old) => old.fileId === fileId));
    assert.equal(came.length, 7);
  });
}

test("a path that is a file and a directory means both, once", async (t) => {
  const world = await historyWorld(t, { kind: "plain" });
  world.present();
  for (const name of ["both", "both.txt", "both/in", "both/more/in", "both␉tab"])
    for (const days of [40, 20]) world.server.put(world.stored(name), "x", { at: ago(days) });
  const removed = await gone(world, () =>
    world.expect(0, "cleanup", ["--yes", "home", "both", "both/in", "both/", "both␉tab"]),
  );
  assert.deepEqual(removed, [
    "both upload 1",
    "both/in upload 1",
    "both/more/in upload 1",
    "both␉tab upload 1",
  ]);
});

test("a purged file is gone for good, and the next backup knows", async (t) => {
  for (const rclone of rclones) {
    const world = await historyWorld(t, { rclone });
    await world.past(3, async () => {
      await world.write("keys/old", "secret");
      await world.write("other", "other");
    });
    world.present();
    await world.expect(0, "rclone-backup", ["home"]);
    await world.expect(0, "rclone-backup", ["home"]);
    const lines = await world.json("cleanup", ["--yes", "--purge", "home", "keys"]);
    assert.deepEqual(
      lines.map((line) => line["kind"]),
      ["removal", "cleanup"],
    );
    assert.equal(dig(lines[1], "removed", "versions"), 1);
    assert.deepEqual(world.versions(), ["other upload 5"]);
    const [next] = await world.json("rclone-backup", ["home"]);
    assert.deepEqual(
      [dig(next, "plan", "counted_from"), dig(next, "plan", "added", "files"), next?.["result"]],
      ["dry run", 1, "success"],
    );
    assert.deepEqual(world.versions(), ["keys/old upload 6", "other upload 5"]);
  }
});

test("a failure is told, and another run does the rest", async (t) => {
  const world = await filled(t);
  const deed = { kind: "status", status: 400, code: "bad_request", message: "no" } as const;
  world.server.faults.plan([{ api: "b2_delete_file_version", name: world.stored("dead/x"), deed }]);
  const { stderr } = await world.expect(3, "cleanup", ["--yes", "home", "dead", "foo"]);
  assert.match(stderr, /versions of 1 file could not be removed:\n.*dead\/x: .*\n.*run again/);
  assert.equal(world.versions().filter((line) => line.startsWith("dead/x")).length, 3);
  await world.expect(0, "cleanup", ["--yes", "home", "dead"]);
  assert.equal(world.versions().filter((line) => line.startsWith("dead/x")).length, 0);
  const key = world.server.addKey({ capabilities: ["listBuckets", "listFiles", "readFiles"] });
  const env = world.server.rcloneEnv("cloud", key);
  const told = await world.expect(2, "cleanup", ["--yes", "home", "foobar"], { env });
  assert.match(told.stderr, /deleteFiles/);
  // A location without a configuration file works as well.
  await world.expect(0, "cleanup", ["--yes", "hidden:data", "foobar"]);
  assert.equal(world.versions().filter((line) => line.startsWith("foobar")).length, 1);
  const wrong = (await run(rclones[1]?.path ?? "", ["obscure", "x"])).stdout.trim();
  await world.expect(1, "cleanup", ["--yes", "--purge", "home", "dir"], {
    env: { RCLONE_CONFIG_HIDDEN_PASSWORD: wrong },
  });
});
