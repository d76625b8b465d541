import assert from "node:assert/strict";
import { cp, rm } from "node:fs/promises";
import path from "node:path";
import { after, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startB2 } from "./helpers/b2/server.ts";
import { commands, dig, type Commands } from "./helpers/historyworld.ts";
import { startMoto } from "./helpers/moto.ts";
import { emptyPassword } from "./helpers/sandbox.ts";
import { makeBucket, type S3Server } from "./helpers/s3server.ts";
import { bucketName } from "./helpers/s3store.ts";
import { startVersitygw } from "./helpers/versitygw.ts";

const scope = { after: (action: () => unknown): void => after(async () => void (await action())) };
const motos = startMoto(scope);
const gateways = startVersitygw(scope);

interface StoreKind {
  readonly title: string;
  /**
   * Whether its times can be believed: versitygw stamps an old version with the time at which it was
   * replaced, and a deletion with that of what it deletes.
   */
  readonly tellsTimes: boolean;
  /** Which of the plain uses are tried here: each on two kinds of store, since all keep one contract. */
  readonly tries: "cleanup" | "undelete";
  readonly make: (t: TestContext) => Promise<Commands>;
}

async function throughCrypt(
  t: TestContext,
  remote: string,
  env: Readonly<Record<string, string>>,
): Promise<Commands> {
  return commands(t, {
    destination: "hidden:data",
    env: {
      ...env,
      RCLONE_CONFIG_HIDDEN_TYPE: "crypt",
      RCLONE_CONFIG_HIDDEN_REMOTE: remote,
      RCLONE_CONFIG_HIDDEN_PASSWORD: emptyPassword,
    },
  });
}

async function onS3(t: TestContext, server: S3Server): Promise<Commands> {
  const bucket = bucketName();
  await makeBucket(server, bucket, "Enabled");
  const env = [...server.options].map(
    ([name, value]) => [`RCLONE_CONFIG_CLOUD_${name.toUpperCase()}`, value] as const,
  );
  return throughCrypt(t, `cloud:${bucket}/some where`, Object.fromEntries<string>(env));
}

const stores: readonly StoreKind[] = [
  {
    title: "b2",
    tellsTimes: true,
    tries: "cleanup",
    make: async (t) => {
      const server = await startB2(t, { now: Date.now() });
      server.clock.run();
      return throughCrypt(t, `cloud:${server.bucket}/some where`, server.rcloneEnv("cloud"));
    },
  },
  {
    title: "s3, moto",
    tellsTimes: true,
    tries: "undelete",
    make: async (t) => onS3(t, await motos),
  },
  {
    title: "s3, versitygw",
    tellsTimes: false,
    tries: "cleanup",
    make: async (t) => onS3(t, await gateways),
  },
  {
    title: "dated directories",
    tellsTimes: true,
    tries: "undelete",
    make: (t) =>
      commands(t, { destination: "secret:data", env: {}, settings: "[history]\nkind = dir\n" }),
  },
];

/** A moment that lies in no second of a change: some stores tell whole seconds. */
async function between(): Promise<string> {
  await sleep(2100);
  const moment = new Date();
  await sleep(1100);
  return moment.toISOString();
}

function namesOf(listing: readonly string[]): string[] {
  return listing.map((line) => line.split(";")[0] ?? "");
}

for (const { title, tellsTimes, tries, make } of stores) {
  test(`prune removes what no policy keeps, and nothing current (${title})`, async (t) => {
    const world = await make(t);
    const { write, remove } = world;
    for (const content of ["1", "22", "333"]) {
      await write("docs/changes", content);
      await write("kept/changes", content);
      if (content === "22") await remove("dead");
      else await write("dead", content);
      await write("same", "same");
      await world.expect(0, "rclone-backup", ["home"]);
      await sleep(1100);
    }
    await remove("dead");
    await world.expect(0, "rclone-backup", ["home"]);
    const before = await world.listed();
    const settings = title === "dated directories" ? "[history]\nkind = dir\n" : "";
    await world.configure(`${settings}[retention]\nkept/ = forever\n/ = none\n`);
    const dry = await world.json("prune", ["-n", "home"]);
    const real = await world.json("prune", ["home"]);
    const ids = (lines: typeof dry): unknown[] =>
      lines.slice(0, -1).map((line) => [line["path"], line["id"]]);
    assert.deepEqual(ids(dry), ids(real));
    const contents = real
      .filter((line) => line["is"] === "file")
      .map((line) => String(line["path"]));
    assert.deepEqual(contents.toSorted(), ["dead", "dead", "docs/changes", "docs/changes"]);
    assert.equal(dig(real.at(-1), "removed", "versions"), real.length - 1);
    assert.deepEqual(await world.listed(), before);
    const again = await world.expect(0, "prune", ["home"]);
    assert.equal(again.stdout, "");
    await world.expect(0, "prune", ["--purge", "--force", "home"]);
    const left = await world.json("prune", ["--explain", "**", "home"]);
    assert.deepEqual(
      left
        .slice(0, -1)
        .map((line) => `${String(line["path"])}: ${String(line["reason"])}`)
        .toSorted(),
      ["docs/changes", "kept/changes", "same"].map((name) => `${name}: it is the current version`),
    );
    assert.deepEqual(await world.listed(), before);
    // The next backup finds what it expects.
    const [next] = await world.json("rclone-backup", ["home"]);
    assert.deepEqual(
      [next?.["result"], dig(next, "plan", "counted_from")],
      ["success", "manifest"],
    );
  });

  if (tries === "cleanup") {
    test(`cleanup takes one path, and the backup goes on (${title})`, async (t) => {
      const world = await make(t);
      const { write } = world;
      for (const content of ["1", "22"]) {
        for (const name of ["foo", "foobar", "dir/a"]) await write(name, content);
        await world.expect(0, "rclone-backup", ["home"]);
        await sleep(1100);
      }
      const shown = await world.expect(0, "cleanup", ["-n", "home", "foo"]);
      assert.match(shown.stdout, /^remove \S+Z +\d+ foo\nwould remove 1 version of 1 file/);
      await world.expect(5, "cleanup", ["home", "foo"]);
      await world.expect(0, "cleanup", ["--yes", "home", "foo", "dir"]);
      const left = async (): Promise<string[]> =>
        (await world.json("prune", ["--explain", "**", "home"]))
          .slice(0, -1)
          .map((line) => String(line["path"]))
          .toSorted();
      assert.deepEqual(await left(), ["dir/a", "foo", "foobar", "foobar"]);
      await world.expect(0, "cleanup", ["--yes", "--purge", "home", "dir", "foo"]);
      assert.deepEqual(await left(), ["foobar", "foobar"]);
      assert.deepEqual(namesOf(await world.listed()), ["foobar"]);
      const [next] = await world.json("rclone-backup", ["home"]);
      assert.deepEqual(
        [next?.["result"], dig(next, "plan", "counted_from"), dig(next, "plan", "added", "files")],
        ["success", "dry run", 2],
      );
      assert.deepEqual(namesOf(await world.listed()), ["dir/a", "foo", "foobar"]);
    });
  } else {
    test(`recover --local brings back what was deleted (${title})`, async (t) => {
      const world = await make(t);
      for (const name of ["a", "dir/b", "dir/c", "e", "f"]) await world.write(name, name);
      await world.expect(0, "rclone-backup", ["home"]);
      const before = await world.listed();
      const local = path.join(world.box.root, "local");
      await cp(world.box.source, local, { recursive: true });
      await rm(path.join(local, "dir/c"));
      await sleep(1100);
      await world.remove("dir");
      await world.expect(0, "rclone-backup", ["home"]);
      assert.deepEqual(namesOf(await world.listed()), ["a", "e", "f"]);
      await world.expect(0, "recover", ["--yes", "--local", local, "home"]);
      assert.deepEqual(
        await world.listed(),
        before.filter((line) => !line.startsWith("dir/c")),
      );
    });
  }

  if (!tellsTimes) {
    test(`a store that can't tell when versions came is not rolled back (${title})`, async (t) => {
      const world = await make(t);
      await world.write("a", "first");
      await world.expect(0, "rclone-backup", ["home"]);
      const time = await between();
      await world.write("a", "second");
      await world.expect(0, "rclone-backup", ["home"]);
      const before = await world.listed();
      const { stderr } = await world.expect(5, "recover", ["--yes", "--as-of", time, "home"]);
      assert.match(stderr, /found 1 of 1 with the time at which they were replaced/);
      assert.deepEqual(await world.listed(), before);
      const to = path.join(world.box.root, "to");
      const restored = await world.run("restore", ["--as-of", time, "--to", to, "home"]);
      assert.match(
        restored.stderr,
        /1 of 1 old versions have the time at which they were replaced/,
      );
    });
    continue;
  }
  test(`recover brings back what was deleted, and rolls all of it back (${title})`, async (t) => {
    const world = await make(t);
    const { write, remove } = world;
    for (const name of ["changes", "dir/same", "dir/goes", "early"]) await write(name, name);
    await world.expect(0, "rclone-backup", ["home"]);
    const early = await between();
    await remove("early");
    await write("changes", "changed once");
    await world.expect(0, "rclone-backup", ["home"]);
    const good = await world.listed();
    const time = await between();
    await write("changes", "ENCRYPTED");
    await write("dir/same", "ENCRYPTED TOO");
    await write("ransom", "pay");
    await remove("dir/goes");
    await world.expect(0, "rclone-backup", ["home"]);
    const bad = await world.listed();
    await between();

    await world.expect(0, "recover", ["--yes", "--deleted-since", time, "home"]);
    assert.deepEqual(namesOf(await world.listed()), ["changes", "dir/goes", "dir/same", "ransom"]);
    await world.expect(0, "rclone-backup", ["home"]);
    assert.deepEqual(await world.listed(), bad);
    await between();
    const dry = await world.expect(0, "recover", ["-n", "--as-of", time, "home"]);
    assert.match(
      dry.stdout,
      /would be done: 3 files to put back as they were, 1 file to mark as deleted/,
    );
    await world.expect(5, "recover", ["--as-of", time, "home"]);
    assert.deepEqual(await world.listed(), bad);
    await world.expect(0, "recover", ["--yes", "--as-of", time, "home"]);
    assert.deepEqual(await world.listed(), good);
    await world.expect(75, "rclone-backup", ["home"]);
    const again = await world.expect(0, "recover", ["--yes", "--as-of", time, "home"]);
    assert.match(again.stdout, /^nothing to do/);

    await between();
    await world.expect(0, "recover", ["--yes", "--as-of", early, "home"]);
    assert.deepEqual(namesOf(await world.listed()), ["changes", "dir/goes", "dir/same", "early"]);
    await between();
    await world.expect(0, "recover", ["--yes", "--as-of", time, "home"]);
    assert.deepEqual(await world.listed(), good);

    // The source is put right; the next backup counts at the destination, once.
    for (const [name, content] of [
      ["changes", "changed once"],
      ["dir/same", "dir/same"],
      ["dir/goes", "dir/goes"],
    ] as const)
      await write(name, content);
    await remove("ransom");
    await world.expect(0, "recover", ["--resume", "home"]);
    const [next] = await world.json("rclone-backup", ["home"]);
    assert.deepEqual([next?.["result"], dig(next, "plan", "counted_from")], ["success", "dry run"]);
    assert.deepEqual(await world.listed(), good);
    const [last] = await world.json("rclone-backup", ["home"]);
    assert.equal(dig(last, "plan", "counted_from"), "manifest");
  });
}
