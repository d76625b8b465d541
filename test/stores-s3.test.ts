// What is S3's own: buckets without versions, what rclone stored, large objects, uploads in parts.
import { after, test } from "node:test";
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { cryptNames } from "../lib/crypt/cryptnames.ts";
import { plainNames } from "../lib/crypt/plainnames.ts";
import { Failure } from "../lib/errors.ts";
import { histories } from "../lib/history/group.ts";
import { textFromRaw } from "../lib/units/rawpath.ts";
import { run } from "./helpers/command.ts";
import { startMoto } from "./helpers/moto.ts";
import { quickStart, rclones } from "./helpers/rclones.ts";
import { ask, makeBucket, putObject, setVersioning, type S3Server } from "./helpers/s3server.ts";
import { bucketName, openOn } from "./helpers/s3store.ts";
import { emptyPassword } from "./helpers/sandbox.ts";
import { all, raw, read } from "./helpers/storecontract.ts";
import { startVersitygw } from "./helpers/versitygw.ts";

const scope = { after: (action: () => unknown) => after(async () => void (await action())) };
const servers: readonly (readonly [string, Promise<S3Server>])[] = [
  ["moto", startMoto(scope)],
  ["versitygw", startVersitygw(scope)],
];

const section = (title: string, options: Iterable<readonly [string, string]>): string =>
  `[${title}]\n${[...options].map(([key, value]) => `${key} = ${value}\n`).join("")}`;

for (const [name, starting] of servers) {
  for (const rclone of rclones)
    test(`${name}: versions that rclone wrote through crypt (${rclone.version} rclone)`, async (t) => {
      const server = await starting;
      const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-s3-"));
      t.after(() => rm(root, { recursive: true, force: true }));
      const bucket = bucketName();
      await makeBucket(server, bucket, "Enabled");
      const crypt = { remote: `s3:${bucket}/data`, password: emptyPassword };
      await writeFile(
        path.join(root, "conf"),
        section("s3", server.options) +
          section("secret", Object.entries({ type: "crypt", ...crypt })),
      );
      const sync = async (): Promise<void> => {
        const args = [
          "--config",
          path.join(root, "conf"),
          "sync",
          path.join(root, "src"),
          "secret:",
        ];
        const result = await run(rclone.path, args, { env: { HOME: root, ...quickStart } });
        assert.equal(result.code, 0, result.stderr);
      };
      const source = path.join(root, "src");
      await run("mkdir", ["-p", path.join(source, "d")]);
      await writeFile(path.join(source, "d/changes"), "old");
      await writeFile(path.join(source, "goes"), "here");
      await sync();
      await writeFile(path.join(source, "d/changes"), "newer");
      await rm(path.join(source, "goes"));
      await sync();
      const store = await openOn(t, server, `${bucket}/data`);
      const names = cryptNames(new Map(Object.entries(crypt)));
      const versions = await all(store);
      const plain = names.decode(versions.map((version) => version.name));
      const told = versions.map(
        ({ kind, size }, at) => `${plain[at]} ${kind === "marker" ? kind : names.plainSize(size)}`,
      );
      assert.deepEqual(told.toSorted(), ["d/changes 3", "d/changes 5", "goes 4", "goes marker"]);
      for (const version of versions)
        if (version.kind === "file") assert.match(await read(store, version), /^RCLONE/);
      // The older content comes back on top, with its time, so that rclone sees the file of before.
      const old = versions[told.indexOf("d/changes 3")];
      assert.ok(old !== undefined);
      await store.makeCurrent(old);
      const args = ["--config", path.join(root, "conf"), "cat", "secret:d/changes"];
      const cat = await run(rclone.path, args, { env: { HOME: root, ...quickStart } });
      assert.equal(cat.stdout, "old", cat.stderr);
      const [, , oldest] = await store.versionsOf(old.name);
      assert.equal(oldest?.id, old.id);
    });

  test(`${name}: a bucket that never kept versions is told, with what to type`, async (t) => {
    const server = await starting;
    const bucket = bucketName();
    await makeBucket(server, bucket);
    await assert.rejects(openOn(t, server, bucket), (error: unknown) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.outcome, "usage");
      assert.match(error.message, new RegExp(`bucket ${bucket}: expected it to keep old versions`));
      assert.match(error.hint ?? "", new RegExp(`versioning REMOTE:${bucket} Enabled`));
      return true;
    });
  });

  test(`${name}: a bucket that isn't there is told`, async (t) => {
    await assert.rejects(openOn(t, await starting, "no-such-bucket"), /NoSuchBucket/);
  });

  test(`${name}: suspended versioning: old versions are there, and nothing is put over them`, async (t) => {
    const server = await starting;
    const bucket = bucketName();
    await makeBucket(server, bucket);
    await putObject(server, `${bucket}/a`, "before");
    await setVersioning(server, bucket, "Enabled");
    await putObject(server, `${bucket}/a`, "kept");
    await setVersioning(server, bucket, "Suspended");
    const notes: string[] = [];
    const store = await openOn(t, server, bucket, { onNote: (note) => notes.push(note) });
    assert.match(notes.join(), /suspended/);
    const versions = await all(store);
    assert.deepEqual(
      versions.map(({ size }) => size),
      [4, 6],
    );
    assert.equal(versions[1]?.id, "null");
    const [, first] = versions;
    assert.ok(first !== undefined);
    assert.equal(await read(store, first), "before");
    await assert.rejects(store.hide(raw("a")), /expected versioning to be enabled/);
    await assert.rejects(store.makeCurrent(first), /expected versioning to be enabled/);
    assert.equal((await all(store)).length, 2);
    // moto removes all versions of the key instead.
    if (name === "moto") return;
    assert.equal((await store.remove([first]))[0]?.result, "removed");
    assert.deepEqual(
      (await all(store)).map(({ size }) => size),
      [4],
    );
  });

  test(`${name}: an object above the limit is copied in parts, its description too`, async (t) => {
    const server = await starting;
    const bucket = bucketName();
    await makeBucket(server, bucket, "Enabled");
    const size = 5 * 1024 ** 2;
    await putObject(
      server,
      `${bucket}/large +file`,
      Buffer.alloc(size + 7, "abc"),
      1_700_000_000_000,
    );
    await putObject(server, `${bucket}/large +file`, "damaged");
    const store = await openOn(t, server, bucket, { remote: { copy_cutoff: "5M" } });
    const [, old] = await store.versionsOf(raw("large +file"));
    assert.ok(old !== undefined);
    await store.makeCurrent(old);
    const [now] = await store.versionsOf(raw("large +file"));
    assert.ok(now !== undefined);
    assert.equal(now.size, size + 7);
    assert.equal(await read(store, now), Buffer.alloc(size + 7, "abc").toString());
    for await (const page of store.unfinished(raw(""))) assert.deepEqual(page, []);
  });

  test(`${name}: uploads that never ended are found below the prefix only, and cancelled`, async (t) => {
    const server = await starting;
    const bucket = bucketName();
    await makeBucket(server, bucket, "Enabled");
    for (const key of ["in/it/a b", "in/it too/x"]) {
      const started = await ask(server, "POST", `${bucket}/${key}`, { query: { uploads: "" } });
      const uploadId = /<UploadId>(.*?)</.exec(started)?.[1] ?? "";
      const query = { partNumber: "1", uploadId };
      await ask(server, "PUT", `${bucket}/${key}`, { query, body: Buffer.alloc(1234) });
    }
    const store = await openOn(t, server, `${bucket}/in/it`);
    const found = [];
    for await (const page of store.unfinished(raw(""))) found.push(...page);
    assert.deepEqual(
      found.map((upload) => [textFromRaw(upload.name), upload.size]),
      [["a b", 1234]],
    );
    const [upload] = found;
    assert.ok(upload !== undefined && Math.abs(upload.lastPartAt - Date.now()) < 60_000);
    await store.cancel(upload);
    await store.cancel(upload);
    for await (const page of store.unfinished(raw(""))) assert.deepEqual(page, []);
    const outside = await openOn(t, server, `${bucket}/in`);
    const rest = [];
    for await (const page of outside.unfinished(raw(""))) rest.push(...page);
    assert.deepEqual(
      rest.map(({ name: each }) => textFromRaw(each)),
      ["it too/x"],
    );
  });

  test(`${name}: pages of any length tell the same`, async (t) => {
    const server = await starting;
    const bucket = bucketName();
    await makeBucket(server, bucket, "Enabled");
    for (const round of ["1", "22", "333"])
      for (const key of ["a", "a.b", "a-dir/x", "a0", "b/c/d"])
        await putObject(server, `${bucket}/${key}`, round);
    for (const key of ["a", "b/c/d"]) await ask(server, "DELETE", `${bucket}/${key}`);
    const whole = await all(await openOn(t, server, bucket));
    assert.equal(whole.length, 17);
    for (const pageSize of [2, 3, 5, 16, 17, 18])
      assert.deepEqual(
        await all(await openOn(t, server, bucket, { pageSize })),
        whole,
        `pages of ${pageSize}`,
      );
  });
}

test("moto: names with raw control characters are in the order of their keys", async (t) => {
  const server = await servers[0]?.[1];
  assert.ok(server !== undefined);
  const bucket = bucketName();
  await makeBucket(server, bucket, "Enabled");
  const keys = ["a\tb", "aZ", "a\u007f", "a\u2409b"];
  for (const key of keys) {
    await putObject(server, `${bucket}/d/${key}`, "older");
    await putObject(server, `${bucket}/d/${key}`, "newer");
  }
  const store = await openOn(t, server, `${bucket}/d`, { pageSize: 3 });
  const found: string[] = [];
  for await (const page of histories(store.versions(raw("")), plainNames))
    for (const { name, order, versions } of page) {
      found.push(`${textFromRaw(name)} ${versions.length}`);
      assert.equal(store.orderOf?.(name), order);
    }
  assert.deepEqual(found, ["a␉b 2", "aZ 2", "a␡ 2", "a‛␉b 2"]);
});

test("versitygw: a signature that is wrong is told without secrets", async (t) => {
  const [, starting] = servers[1] ?? [];
  assert.ok(starting !== undefined);
  const remote = { secret_access_key: "wrong-secret" };
  await assert.rejects(openOn(t, await starting, "bucket-x", { remote }), (error: unknown) => {
    assert.ok(error instanceof Failure);
    assert.match(error.message, /SignatureDoesNotMatch/);
    assert.doesNotMatch(error.message, /wrong-secret|Signature=/);
    assert.match(error.hint ?? "", /secret_access_key/);
    return true;
  });
});
