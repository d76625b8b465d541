// The B2 server of the tests, judged by the real rclone, both versions: what it stores, overwrites,
// deletes, lists with its history and brings back is what a B2 account would give.
import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import type { B2Key, B2Options, B2Server } from "./helpers/b2/server.ts";
import { startB2 } from "./helpers/b2/server.ts";
import type { Result } from "./helpers/command.ts";
import { rclones } from "./helpers/rclones.ts";
import type { Rclone } from "./helpers/rclones.ts";
import { makeSandbox, obscuredPassword } from "./helpers/sandbox.ts";

interface World {
  readonly server: B2Server;
  readonly source: string;
  /** A directory to restore into. */
  readonly target: string;
  /** Runs rclone with `b2:` (this server) and `crypt:` (a directory of its bucket, encrypted). */
  readonly run: (args: readonly string[], key?: B2Key) => Promise<Result>;
  /** The same; the test fails where rclone does. */
  readonly ok: (...args: readonly string[]) => Promise<string>;
}

const day = 86_400_000;

async function makeWorld(t: TestContext, rclone: Rclone, options?: B2Options): Promise<World> {
  const sandbox = await makeSandbox(t, rclone);
  const server = await startB2(t, options);
  const crypt = {
    RCLONE_CONFIG_CRYPT_TYPE: "crypt",
    RCLONE_CONFIG_CRYPT_REMOTE: "b2:bucket/secret",
    RCLONE_CONFIG_CRYPT_PASSWORD: obscuredPassword,
  };
  const run = async (args: readonly string[], key?: B2Key): Promise<Result> => {
    const env = { ...crypt, ...server.rcloneEnv("b2", key) };
    return sandbox.runRclone([...args, "--retries", "1", "--low-level-retries", "3"], { env });
  };
  const ok = async (...args: readonly string[]): Promise<string> => {
    const result = await run(args);
    assert.equal(result.code, 0, `rclone ${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
  return { server, source: sandbox.source, target: path.join(sandbox.root, "back"), run, ok };
}

async function write(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(directory, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

for (const rclone of rclones) {
  for (const remote of ["b2:bucket/plain", "crypt:"]) {
    test(`${rclone.version} rclone: up, over, away and back, on ${remote}`, async (t) => {
      const { server, source, target, ok } = await makeWorld(t, rclone);
      const nasty = "d/ü + %20 \u{1f600} back\\slash.txt";
      await write(source, { "a.txt": "one", [nasty]: "two", "gone.txt": "three", empty: "" });
      await ok("sync", source, remote);
      await ok("check", source, remote);
      await ok("check", "--download", source, remote);
      const before = server.requests.length;
      await ok("sync", source, remote);
      const apis = server.requests.slice(before).map(({ api }) => api);
      assert.ok(!apis.includes("b2_upload_file"), apis.join(" "));
      server.clock.advance(3 * day);
      await write(source, { "a.txt": "other" });
      await rm(path.join(source, "gone.txt"));
      await ok("sync", source, remote);
      const actions = server.versions().map(({ action }) => action);
      assert.deepEqual(actions.toSorted(), [
        "hide",
        "upload",
        "upload",
        "upload",
        "upload",
        "upload",
      ]);
      await ok("check", "--download", source, remote);
      await ok("copy", remote, target);
      assert.equal(await readFile(path.join(target, "a.txt"), "utf8"), "other");
      assert.equal(await readFile(path.join(target, nasty), "utf8"), "two");
      const old = `${target}-old`;
      await ok("copy", remote, old, "--b2-version-at", "2026-01-02");
      assert.equal(await readFile(path.join(old, "a.txt"), "utf8"), "one");
      assert.equal(await readFile(path.join(old, "gone.txt"), "utf8"), "three");
    });
  }

  test(`${rclone.version} rclone: lists every version and takes one down`, async (t) => {
    const { server, source, ok } = await makeWorld(t, rclone);
    await write(source, { "a.txt": "one", "b.txt": "b" });
    await ok("sync", source, "b2:bucket");
    server.clock.advance(day);
    await write(source, { "a.txt": "two, longer" });
    await rm(path.join(source, "b.txt"));
    await ok("sync", source, "b2:bucket");
    assert.deepEqual(lines(await ok("lsf", "b2:bucket", "--b2-versions")).toSorted(), [
      "a-v2026-01-01-000000-000.txt",
      "a.txt",
      "b-v2026-01-01-000000-000.txt",
    ]);
    const first = await ok("cat", "b2:bucket/a-v2026-01-01-000000-000.txt", "--b2-versions");
    assert.equal(first, "one");
    assert.deepEqual(lines(await ok("lsf", "b2:bucket")), ["a.txt"]);
  });

  test(`${rclone.version} rclone: a large file in parts, and one that was cut off`, async (t) => {
    const { server, source, target, run, ok } = await makeWorld(t, rclone);
    const content = Buffer.alloc(13 * 1024 * 1024);
    for (let at = 0; at < content.length; at += 1000) content[at] = at % 251;
    await writeFile(path.join(source, "large"), content);
    const parts = ["--b2-upload-cutoff", "6M", "--b2-chunk-size", "5M", "--transfers", "1"];
    const deed = { kind: "status", status: 403, code: "storage_cap_exceeded" } as const;
    server.faults.plan([{ api: "b2_upload_part", from: 2, times: Infinity, deed }]);
    assert.notEqual((await run(["copy", source, "b2:bucket", ...parts])).code, 0);
    server.faults.clear();
    assert.ok(server.versions().every(({ action }) => action === "start"));
    await ok("copy", source, "b2:bucket", ...parts);
    const [large] = server.versions().filter(({ action }) => action === "upload");
    assert.equal(large?.contentSha1, "none");
    assert.match(large?.fileInfo["large_file_sha1"] ?? "", /^[0-9a-f]{40}$/);
    const sent = server.requests.filter(
      ({ api, status }) => api === "b2_upload_part" && status === 200,
    );
    assert.ok(sent.length >= 3);
    await ok("check", source, "b2:bucket");
    await ok("copy", "b2:bucket", target);
    assert.deepEqual(await readFile(path.join(target, "large")), content);
  });

  test(`${rclone.version} rclone: what goes away for a moment is tried again`, async (t) => {
    const { server, source, ok } = await makeWorld(t, rclone);
    await write(source, { "a.txt": "one" });
    const busy = { kind: "status", status: 503, code: "service_unavailable" } as const;
    server.faults.plan([
      { api: "b2_list_file_names", deed: { kind: "reset" } },
      { api: "b2_upload_file", deed: busy },
      { api: "b2_list_buckets", deed: { kind: "expire" } },
    ]);
    await ok("sync", source, "b2:bucket/p");
    await ok("check", "--download", source, "b2:bucket/p");
    assert.equal(server.faults.pending(), 0);
    server.expireTokens();
    await ok("check", "--download", source, "b2:bucket/p");
  });

  test(`${rclone.version} rclone: a key of one bucket and prefix that can't delete`, async (t) => {
    const { server, source, run } = await makeWorld(t, rclone);
    await write(source, { "a.txt": "one" });
    const capabilities = ["listBuckets", "listFiles", "readFiles", "writeFiles"];
    const key = server.addKey({ capabilities, bucket: "bucket", namePrefix: "in/" });
    const inside = await run(["sync", source, "b2:bucket/in"], key);
    assert.equal(inside.code, 0, inside.stderr);
    assert.equal((await run(["check", "--download", source, "b2:bucket/in"], key)).code, 0);
    assert.notEqual((await run(["copy", source, "b2:bucket/out"], key)).code, 0);
    assert.notEqual((await run(["lsf", "b2:bucket"], key)).code, 0);
    const hard = await run(["delete", "b2:bucket/in", "--b2-hard-delete"], key);
    assert.notEqual(hard.code, 0);
    assert.equal((await run(["delete", "b2:bucket/in"], key)).code, 0);
    const actions = server.versions().map(({ fileName, action }) => `${fileName} ${action}`);
    assert.deepEqual(actions, ["in/a.txt hide", "in/a.txt upload"]);
  });
}
