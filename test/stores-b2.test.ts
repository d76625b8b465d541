// The native B2 store: what it tells of a bucket, what a key may do, what a call costs.
import { test } from "node:test";
import assert from "node:assert/strict";
import { plainNames } from "../lib/crypt/plainnames.ts";
import { Failure } from "../lib/errors.ts";
import { histories } from "../lib/history/group.ts";
import type { UnfinishedUpload } from "../lib/stores/store.ts";
import { textFromRaw } from "../lib/units/rawpath.ts";
import { startB2 } from "./helpers/b2/server.ts";
import { openOn } from "./helpers/b2store.ts";
import { all, raw, read } from "./helpers/storecontract.ts";

const hour = 3_600_000;

test("versions, markers and times are told as the service keeps them", async (t) => {
  const server = await startB2(t, { now: Date.UTC(2026, 2, 1) });
  server.put("a", "old", { modifiedAt: 1_234_567_890_123 });
  server.clock.advance(hour);
  server.hide("a");
  server.clock.advance(hour);
  server.put("a", "newer", { fileInfo: { other: "x" } });
  const store = await openOn(t, server);
  const versions = await all(store);
  assert.deepEqual(
    versions.map((version) => ({ ...version, id: "" })),
    [
      {
        name: "a",
        id: "",
        kind: "file",
        size: 5,
        storedAt: Date.UTC(2026, 2, 1, 2),
        modifiedAt: undefined,
        hash: { kind: "sha1", hex: "1d47386a9777a927aac611d869a7baed63609654" },
      },
      {
        name: "a",
        id: "",
        kind: "marker",
        size: 0,
        storedAt: Date.UTC(2026, 2, 1, 1),
        modifiedAt: undefined,
      },
      {
        name: "a",
        id: "",
        kind: "file",
        size: 3,
        storedAt: Date.UTC(2026, 2, 1),
        modifiedAt: 1_234_567_890_123,
        hash: { kind: "sha1", hex: "c00dbbc9dadfbe1e232e93a729dd4752fade0abf" },
      },
    ],
  );
  assert.deepEqual(
    versions.map(({ id }) => id),
    server.versions().map(({ fileId }) => fileId),
  );
});

test("now is the service's clock", async (t) => {
  const server = await startB2(t, { now: Date.UTC(2031, 4, 5) });
  const store = await openOn(t, server);
  assert.deepEqual(await store.now(), new Date(Date.UTC(2031, 4, 5)));
  server.clock.advance(hour);
  await all(store);
  assert.deepEqual(await store.now(), new Date(Date.UTC(2031, 4, 5, 1)));
  assert.equal(store.place, "b2:bucket");
});

test("a directory in a bucket is all that is seen of it", async (t) => {
  const server = await startB2(t);
  for (const name of ["dir", "dir.x", "dir/a", "dir/b/c", "directory/a", "other"])
    server.put(name, name);
  const store = await openOn(t, server, { path: "bucket/dir" });
  assert.deepEqual(
    (await all(store)).map(({ name }) => name),
    ["a", "b/c"],
  );
  assert.equal(store.place, "b2:bucket/dir");
  const [a] = await all(store);
  assert.ok(a !== undefined);
  await store.remove([a]);
  await store.hide(raw("b/c"));
  assert.deepEqual(
    server.versions().map(({ fileName, action }) => `${fileName} ${action}`),
    [
      "dir upload",
      "dir.x upload",
      "dir/b/c hide",
      "dir/b/c upload",
      "directory/a upload",
      "other upload",
    ],
  );
});

test("without a bucket nothing is opened, and an unknown one is told", async (t) => {
  const server = await startB2(t);
  await assert.rejects(openOn(t, server, { path: "" }), /expected a bucket, found none/);
  await assert.rejects(
    openOn(t, server, { path: "no-such-bucket" }),
    /expected a bucket named no-such-bucket, found none/,
  );
});

test("options that are missing or wrong are usage failures", async (t) => {
  const server = await startB2(t);
  for (const [remote, message] of [
    [{ account: "" }, /expected the option account/],
    [{ key: "" }, /expected the option key/],
    [{ endpoint: "not a url" }, /expected a URL as endpoint/],
    [{ key: "K001wrong" }, /expected application key .* to be accepted, found unauthorized/],
  ] as const)
    await assert.rejects(openOn(t, server, { remote }), (error) => {
      assert.ok(error instanceof Failure && error.outcome === "usage", String(error));
      assert.match(error.message, message);
      assert.ok(!`${error.message} ${error.hint}`.includes("K001wrong"));
      return true;
    });
});

test("a key's missing capability is named before anything is done", async (t) => {
  const server = await startB2(t);
  server.put("a", "1");
  const can = (...capabilities: string[]): ReturnType<typeof server.addKey> =>
    server.addKey({ capabilities: ["listBuckets", ...capabilities] });
  await assert.rejects(
    openOn(t, server, { key: can("readFiles") }),
    /expected the capability listFiles .*found a key without it/,
  );
  await assert.rejects(
    openOn(t, server, { key: can("listFiles"), needs: ["readFiles", "deleteFiles"] }),
    /expected the capability readFiles/,
  );
  const store = await openOn(t, server, { key: can("listFiles") });
  const [version] = await all(store);
  assert.ok(version !== undefined);
  const before = server.requests.length;
  const upload: UnfinishedUpload = { ...version, startedAt: 0, lastPartAt: 0 };
  for (const [deed, capability] of [
    [() => store.remove([version]), "deleteFiles"],
    [() => store.open(version), "readFiles"],
    [() => store.hide(version.name), "writeFiles"],
    [() => store.makeCurrent(version), "readFiles"],
    [() => store.cancel(upload), "writeFiles"],
  ] as const)
    await assert.rejects(deed(), (error) => {
      assert.ok(error instanceof Failure && error.outcome === "usage", String(error));
      assert.match(error.message, new RegExp(`capability ${capability} `));
      assert.match(error.hint ?? "", new RegExp(`has ${capability}`));
      return true;
    });
  assert.equal(server.requests.length, before);
  assert.equal(server.versions().length, 1);
});

test("a key for some names opens what lies within, and nothing else", async (t) => {
  const server = await startB2(t);
  server.put("home/a", "1");
  server.put("home2/a", "1");
  const capabilities = ["listFiles", "listBuckets"];
  for (const namePrefix of ["home", "home/"]) {
    const key = server.addKey({ capabilities, namePrefix });
    const store = await openOn(t, server, { key, path: "bucket/home" });
    assert.equal((await all(store)).length, 1);
    for (const [path, wanted] of [
      ["bucket", "the whole bucket"],
      ["bucket/hom", "hom/"],
      ["bucket/other/home", "other/home/"],
    ] as const)
      await assert.rejects(openOn(t, server, { key, path }), (error) => {
        assert.ok(error instanceof Failure);
        assert.ok(error.message.includes(`may use ${wanted}, found`), error.message);
        assert.ok(error.message.endsWith(`begin with ${namePrefix}`), error.message);
        return true;
      });
  }
});

test("a key for one bucket needs no list of buckets", async (t) => {
  const server = await startB2(t);
  server.addBucket("another");
  server.put("a", "1");
  const key = server.addKey({ capabilities: ["listFiles"], bucket: "bucket" });
  const store = await openOn(t, server, { key });
  assert.equal((await all(store)).length, 1);
  assert.ok(server.requests.every(({ api }) => api !== "b2_list_buckets"));
  await assert.rejects(
    openOn(t, server, { key, path: "another" }),
    /expected one for the bucket another, found one restricted to bucket$/,
  );
  const blind = server.addKey({ capabilities: ["listFiles"] });
  await assert.rejects(openOn(t, server, { key: blind }), /expected the capability listBuckets/);
});

test("a large file that is still being sent is no version", async (t) => {
  const server = await startB2(t);
  server.put("big", "whole");
  server.clock.advance(hour);
  server.startLarge("big", ["part"]);
  const store = await openOn(t, server);
  assert.deepEqual(
    (await all(store)).map(({ size }) => size),
    [5],
  );
  assert.equal((await store.versionsOf(raw("big"))).length, 1);
});

test("unfinished uploads are told with the time of their last part, and cancelled", async (t) => {
  const server = await startB2(t, { now: Date.UTC(2026, 0, 1) });
  const begin = (name: string, ...parts: string[]): string => {
    server.clock.advance(hour);
    return server.startLarge(name, parts).fileId;
  };
  begin("dir/none");
  const parts = begin("dir/a b+c%", "12345", "678");
  begin("directory/x", "1");
  begin("dir", "1");
  server.put("dir/finished", "x");
  const store = await openOn(t, server, { path: "bucket/dir" });
  const found: UnfinishedUpload[] = [];
  for await (const page of store.unfinished(raw(""))) found.push(...page);
  assert.deepEqual(
    found.map(({ name, startedAt, lastPartAt, size }) => [
      textFromRaw(name),
      startedAt,
      lastPartAt,
      size,
    ]),
    [
      ["none", Date.UTC(2026, 0, 1, 1), Date.UTC(2026, 0, 1, 1), 0],
      ["a b+c%", Date.UTC(2026, 0, 1, 2), Date.UTC(2026, 0, 1, 2), 8],
    ],
  );
  const upload = found[1];
  assert.ok(upload !== undefined);
  assert.equal(upload.id, parts);
  await store.cancel(upload);
  await store.cancel(upload);
  assert.deepEqual(
    server
      .versions()
      .map(({ fileName }) => fileName)
      .toSorted(),
    ["dir", "dir/finished", "dir/none", "directory/x"],
  );
});

test("transactions are counted as they are billed", async (t) => {
  const server = await startB2(t);
  for (let at = 0; at < 2500; at += 1) server.put(`f${at}`, "x");
  const store = await openOn(t, server);
  const versions = await all(store);
  assert.equal(versions.length, 2500);
  // Authorisation, the bucket, and one for every thousand files begun.
  assert.deepEqual(store.transactions, { classA: 0, classB: 0, classC: 5 });
  const [version] = versions;
  assert.ok(version !== undefined);
  await read(store, version);
  await store.makeCurrent(version);
  await store.hide(version.name);
  await store.remove([version]);
  const { A, B, C } = server.billed();
  assert.deepEqual(store.transactions, { classA: A, classB: B, classC: C });
});

test("a copy keeps content type, file information and time", async (t) => {
  const server = await startB2(t, { absoluteMinimumPartSize: 10, recommendedPartSize: 20 });
  const fileInfo = { src_last_modified_millis: "1700000000123", large_file_sha1: "a".repeat(40) };
  const content = "abcdefghijklmnopqrstuvwxyz".repeat(4);
  server.put("f", content, { contentType: "text/x-special", fileInfo });
  server.clock.advance(hour);
  server.hide("f");
  for (const copyWholeUpTo of [1000, 30]) {
    server.clock.advance(hour);
    const store = await openOn(t, server, { copyWholeUpTo });
    const good = (await store.versionsOf(raw("f"))).at(-1);
    assert.ok(good !== undefined);
    await store.makeCurrent(good);
    const [newest] = server.versions();
    assert.ok(newest !== undefined);
    assert.equal(newest.action, "upload");
    assert.equal(newest.contentType, "text/x-special");
    assert.deepEqual(newest.fileInfo, fileInfo);
    assert.equal(server.content(newest.fileId).toString(), content);
    assert.equal(newest.uploadTimestamp, server.clock.now());
  }
  const parts = server.requests.filter(({ api }) => api === "b2_copy_part");
  assert.equal(parts.length, 4);
});

test("a copy in parts that fails leaves nothing half done", async (t) => {
  const server = await startB2(t, { absoluteMinimumPartSize: 10, recommendedPartSize: 20 });
  server.put("f", "x".repeat(100));
  const store = await openOn(t, server, { copyWholeUpTo: 30 });
  server.faults.plan([
    {
      api: "b2_copy_part",
      from: 3,
      deed: { kind: "status", status: 400, code: "bad_request", message: "no" },
    },
  ]);
  const [version] = await all(store);
  assert.ok(version !== undefined);
  await assert.rejects(store.makeCurrent(version), /b2:bucket: to copy a version of f: .*400/);
  assert.equal(server.faults.pending(), 0);
  assert.deepEqual(
    server.versions().map(({ action }) => action),
    ["upload"],
  );
});

test("hiding what is hidden is done, and what isn't there is told", async (t) => {
  const server = await startB2(t);
  server.put("a", "1");
  const store = await openOn(t, server);
  await store.hide(raw("a"));
  await store.hide(raw("a"));
  assert.equal(server.versions().length, 2);
  await assert.rejects(store.hide(raw("b")), /b2:bucket: to hide b: .*no_such_file/);
});

test("content encrypted with a key of the customer's is left to rclone", async (t) => {
  const server = await startB2(t);
  server.put("a", "1");
  const store = await openOn(t, server, { remote: { sse_customer_algorithm: "AES256" } });
  const [version] = await all(store);
  assert.ok(version !== undefined);
  await assert.rejects(store.open(version), /SSE-C/);
  await assert.rejects(store.makeCurrent(version), /SSE-C/);
});

test("a name that rclone would have written otherwise stays a file of its own", async (t) => {
  const server = await startB2(t);
  // rclone shows both under one name, and would store it as the second one.
  const foreign = server.put("d/\u201bq", "foreign");
  const own = server.put("d/\u201b\u201bq", "own");
  const store = await openOn(t, server, { path: "bucket/d" });
  const versions = await all(store);
  assert.deepEqual(
    versions.map(({ name, size }) => `${textFromRaw(name)} ${size}`),
    ["\u201bq 7", "\u201b\u201bq 3"].toSorted(),
  );
  assert.equal(new Set(versions.map(({ name }) => name)).size, 2);
  const ours = await store.versionsOf(raw("\u201b\u201bq"));
  assert.deepEqual(
    ours.map(({ id }) => id),
    [own.fileId],
  );
  const other = versions.find(({ size }) => size === 7);
  assert.ok(other !== undefined);
  assert.equal(await read(store, other), "foreign");
  assert.equal((await store.remove([other]))[0]?.result, "removed");
  assert.deepEqual(
    server.versions().map(({ fileId }) => fileId),
    [own.fileId],
  );
  assert.notEqual(foreign.fileId, own.fileId);
});

test("names are in the order of the service, which is that of its own characters", async (t) => {
  const server = await startB2(t);
  const stored = ["aZ", "ab", "a\uff3cz", "a\uff3cz/f", "b", "\u201b\uff3c"];
  for (const name of stored) {
    server.put(`d/${name}`, "older");
    server.put(`d/${name}`, "newer");
  }
  const store = await openOn(t, server, { path: "bucket/d", pageSize: 3 });
  const found: string[] = [];
  for await (const page of histories(store.versions(raw("")), plainNames))
    for (const { name, order, versions } of page) {
      found.push(`${textFromRaw(name)} ${versions.length}`);
      assert.equal(store.orderOf?.(name), order);
      assert.deepEqual(
        await store.versionsOf(name),
        versions.map((each) => each.stored),
      );
    }
  assert.deepEqual(found, ["aZ 2", "ab 2", "a\\z 2", "a\\z/f 2", "b 2", "\uff3c 2"]);
  await store.hide(raw("a\\z"));
  assert.deepEqual((await store.versionsOf(raw("a\\z")))[0]?.kind, "marker");
});

test("the name of another file than the one that rclone would make is not hidden", async (t) => {
  const server = await startB2(t);
  server.put("\u201bq", "foreign");
  server.put("\u201b\u201bq", "own");
  const store = await openOn(t, server);
  await assert.rejects(store.hide(raw("\u201bq")), /found another's/);
  assert.equal(server.versions().length, 2);
});
