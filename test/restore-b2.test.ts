import assert from "node:assert/strict";
import { readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { startB2, type B2Server } from "./helpers/b2/server.ts";
import { rclones, type Rclone } from "./helpers/rclones.ts";
import {
  evolve,
  generator,
  nastyNames,
  readTree,
  restoreJson,
  runRestore,
  writeAt,
  type Tree,
} from "./helpers/restoring.ts";
import { makeSandbox, obscuredPassword, type Sandbox } from "./helpers/sandbox.ts";

interface Cloud {
  readonly box: Sandbox;
  readonly server: B2Server;
  /** Syncs the source as the clock shows. */
  readonly sync: () => Promise<void>;
  readonly target: (name?: string) => string;
}

/** A backup b on the B2 server, through crypt unless `plain` is set. */
async function cloud(t: TestContext, rclone: Rclone, plain = false): Promise<Cloud> {
  const server = await startB2(t);
  const bare = await makeSandbox(t, rclone);
  const place = `cloud:${server.bucket}/some where`;
  const env = {
    ...bare.env,
    ...server.rcloneEnv("cloud"),
    RCLONE_CONFIG_HIDDEN_TYPE: "crypt",
    RCLONE_CONFIG_HIDDEN_REMOTE: place,
    RCLONE_CONFIG_HIDDEN_PASSWORD: obscuredPassword,
  };
  const box: Sandbox = { ...bare, env };
  const destination = plain ? `${place}/data` : "hidden:data";
  await box.writeConfig("b", `[default]\nsource = ${box.source}\ndestination = ${destination}\n`);
  return {
    box,
    server,
    sync: async () => {
      const args = ["sync", "--no-unicode-normalization", box.source, destination];
      const result = await box.runRclone(args, { env });
      assert.equal(result.code, 0, result.stderr);
    },
    target: (name = "out") => path.join(box.root, name),
  };
}

const day = 86_400_000;

for (const rclone of rclones) {
  for (const plain of [false, true]) {
    test(`any time comes back as it was (${rclone.version}, ${plain ? "plain" : "crypt"})`, async (t) => {
      const { box, server, sync, target } = await cloud(t, rclone, plain);
      const seed = plain ? 11 : 12;
      const random = generator(seed);
      const past: { time: number; tree: Tree }[] = [];
      for (let step = 0; step < 6; step += 1) {
        server.clock.advance(day);
        await evolve(box.source, random, step, [...nastyNames, "dir/a", "dir/b", "dir/deep/c"]);
        await sync();
        past.push({ time: server.clock.now(), tree: await readTree(box.source) });
      }
      for (const [step, { time, tree }] of past.entries()) {
        const asOf = new Date(time + day / 2).toISOString();
        const out = target(`out${step}`);
        const done = await restoreJson(box, ["b", "--as-of", asOf, "--to", out]);
        assert.deepEqual(await readTree(out), tree, `seed ${seed}, step ${step}`);
        assert.equal(done.restored.files, tree.size);
        // The service has a checksum of each, and whoever downloads compares it.
        assert.deepEqual([done.verified.files, done.unverified.files], [tree.size, 0]);
      }
      const now = target("now");
      await restoreJson(box, ["b", "--to", now]);
      assert.deepEqual(await readTree(now), past.at(-1)?.tree);
      // A part of it, which rclone has to pick out.
      const some = target("some");
      const third = past[2];
      assert.ok(third !== undefined);
      const asOf = new Date(third.time).toISOString();
      await restoreJson(box, ["b", "dir", "**/*.txt", "--as-of", asOf, "--to", some]);
      const expected = [...third.tree].filter(([name]) => /^dir\/|\.txt$/.test(name));
      assert.deepEqual(await readTree(some), new Map(expected));
    });
  }

  test(`every version and the deleted files come back by their ids (${rclone.version})`, async (t) => {
    const { box, server, sync, target } = await cloud(t, rclone);
    server.clock.set(Date.UTC(2026, 2, 5, 14, 0, 0));
    await writeAt(box.source, "a.txt", "one", 1_000_000_001_000);
    await sync();
    server.clock.advance(60_000);
    await writeAt(box.source, "a.txt", "second", 1_000_000_002_000);
    await sync();
    server.clock.advance(60_000);
    await rm(path.join(box.source, "a.txt"));
    await writeAt(box.source, "b", "b", 1_000_000_003_000);
    await sync();
    server.clock.advance(60_000);
    const all = await restoreJson(box, ["b", "--all-versions", "--to", target("all")]);
    assert.equal(all.restored.files, 3);
    const tree = await readTree(target("all"));
    assert.deepEqual(
      [...tree].map(([name, { content, time }]) => `${name} ${content} ${time}`),
      [
        "a-v2026-03-05-140000-000.txt one 1000000001000",
        "a-v2026-03-05-140100-000.txt second 1000000002000",
        "b-v2026-03-05-140200-000 b 1000000003000",
      ],
    );
    // After the deletion the file is absent, and that is no error.
    const gone = await restoreJson(box, ["b", "a.txt", "--to", target("gone")]);
    assert.equal(gone.restored.files, 0);
    await restoreJson(box, ["b", "--include-deleted", "--to", target("with")]);
    assert.deepEqual([...(await readTree(target("with"))).keys()], ["a.txt", "b"]);
    const list = await runRestore(box, ["b", "--list", "--time-zone", "Europe/Berlin"]);
    assert.equal(
      list.stdout.replaceAll(/ +/g, " "),
      `2026-03-05 15:01:00 +01:00 deleted 2026-03-05 15:02:00 +01:00 6 a.txt
2026-03-05 15:00:00 +01:00 superseded 2026-03-05 15:01:00 +01:00 3 a.txt
2026-03-05 15:02:00 +01:00 current 1 b
`,
    );
    const { stdout } = await runRestore(box, ["b", "--list", "--json", "b"]);
    const line: unknown = JSON.parse(stdout);
    assert.ok(typeof line === "object" && line !== null && "stored" in line);
    assert.equal(line.stored, "2026-03-05T14:02:00.000Z");
  });

  test(`to another remote: what was there, by rclone and by us (${rclone.version})`, async (t) => {
    const { box, server, sync } = await cloud(t, rclone);
    for (const [step, content] of ["one", "second", "the third"].entries()) {
      server.clock.advance(day);
      await writeAt(box.source, "dir/file.txt", content, Date.UTC(2025, 0, 1 + step));
      await writeAt(box.source, `only in ${step}`, content, Date.UTC(2025, 0, 1 + step));
      if (step > 0) await rm(path.join(box.source, `only in ${step - 1}`));
      await sync();
    }
    const second = new Date(server.clock.now() - day).toISOString();
    const done = await restoreJson(box, ["b", "--as-of", second, "--to", "secret:there"]);
    assert.deepEqual([done.restored.files, done.failure_count], [2, 0]);
    const look = async (location: string): Promise<string[]> => {
      const args = ["lsf", "-R", "--files-only", "--format", "pst", location];
      const { stdout } = await box.runRclone(args, { env: box.env });
      return stdout.trimEnd().split("\n").toSorted();
    };
    assert.deepEqual(await look("secret:there"), [
      "dir/file.txt;6;2025-01-02 00:00:00",
      "only in 1;6;2025-01-02 00:00:00",
    ]);
    const again = await restoreJson(box, ["b", "--as-of", second, "--to", "secret:there"]);
    assert.deepEqual([again.restored.files, again.already_there.files], [0, 2]);
    // What stands there and is another is not replaced.
    const third = await restoreJson(box, ["b", "--to", "secret:there"], { code: 3 });
    assert.deepEqual(
      third.failures.map((failure) => failure.path),
      ["dir/file.txt"],
    );
    // The remote that is looked at as of a time is also written to.
    const own = await restoreJson(box, [
      "b",
      "--as-of",
      second,
      "--to",
      `cloud:${server.bucket}/x`,
    ]);
    assert.deepEqual([own.restored.files, own.failure_count], [2, 0]);
    assert.equal((await look(`cloud:${server.bucket}/x`)).length, 2);
    const all = await restoreJson(box, ["b", "--all-versions", "--to", "secret:all"]);
    assert.deepEqual([all.restored.files, all.failure_count], [6, 0]);
  });

  test(`content that rotted in the store never appears (${rclone.version})`, async (t) => {
    const { box, server, sync, target } = await cloud(t, rclone, true);
    await writeAt(box.source, "bad", "some content", 1_000_000_000_000);
    await sync();
    const deed = { kind: "flip", byte: 3 } as const;
    for (const api of ["b2_download_file_by_name", "b2_download_file_by_id"])
      server.faults.plan([{ api, times: Infinity, deed }]);
    const done = await restoreJson(box, ["b", "--to", target()], { code: 3 });
    assert.deepEqual(
      done.failures.map((failure) => failure.path),
      ["bad"],
    );
    const appeared = [...(await readTree(target())).keys()];
    assert.deepEqual(
      appeared.filter((name) => !name.startsWith(".rclone-restore-")),
      [],
    );
    server.faults.clear();
    const again = await restoreJson(box, ["b", "--to", target()]);
    assert.equal(again.restored.files, 1);
    assert.deepEqual(await readTree(target()), await readTree(box.source));
  });
}

const [, newest] = rclones;
assert.ok(newest !== undefined);

test("what is asked for and isn't there is said", async (t) => {
  const { box, server, sync, target } = await cloud(t, newest);
  await writeAt(box.source, "docs/a", "a", 1_000_000_000_000);
  await sync();
  const fails = async (args: readonly string[], code: number, pattern: RegExp): Promise<void> => {
    const result = await runRestore(box, ["b", ...args]);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, pattern);
  };
  const to = ["--to", target()];
  await fails(["docs", "nope", ...to], 1, /expected files that nope matches, found none/);
  await fails(["--as-of", "2099-01-01", ...to], 2, /expected a time in the past/);
  await fails(["--as-of", "2026-03-29 02:30", "--time-zone", "Europe/Berlin", ...to], 2, /never/);
  const before = new Date(server.clock.now() - day).toISOString();
  await fails(["--as-of", before, ...to], 1, /expected files that were stored by/);
  await fails([], 2, /expected --to TARGET or --list, found neither/);
  await fails(["--to", `cloud:${server.bucket}/some where`], 2, /overlaps with the destination/);
  await writeFile(target("file"), "");
  await fails(["--to", target("file")], 1, /expected a directory, found a file/);
  assert.deepEqual((await readdir(box.root)).includes("out"), false);
  // A dry run shows the same files and writes nothing.
  const dry = await runRestore(box, ["b", "-n", ...to]);
  assert.match(dry.stdout, /^restore .* 1 docs\/a\nwould restore 1 file \(1 B\)/);
  assert.deepEqual((await readdir(box.root)).includes("out"), false);
  const wrong = {
    RCLONE_CONFIG_HIDDEN_PASSWORD: (await box.runRclone(["obscure", "another"])).stdout.trim(),
  };
  const other = await runRestore(box, ["b", ...to], { env: wrong });
  assert.equal(other.code, 1, other.stderr);
});

test("killed at any moment, it goes on when it is run again", async (t) => {
  const { box, sync, target } = await cloud(t, newest);
  for (let at = 0; at < 60; at += 1)
    await writeAt(box.source, `d${at % 7}/f${at}`, "x".repeat(at * 1000), 1_000_000_000_000 + at);
  await sync();
  const tree = await readTree(box.source);
  for (const after of [300, 500, 700, 900, 1100]) {
    await runRestore(box, ["b", "--to", target()], { timeout: after }).catch(() => {});
  }
  await restoreJson(box, ["b", "--to", target()]);
  assert.deepEqual(await readTree(target()), tree);
});
