// The B2 server of the tests: faults by a plan, generated listings, and what calls are billed as.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, listed, refused } from "./helpers/b2/client.ts";
import { startB2 } from "./helpers/b2/server.ts";

const list = "b2_list_file_versions";

test("a status comes as planned: the n-th call of an API, so many times, then all is well", async (t) => {
  const server = await startB2(t);
  const client = await connect(server);
  const bucketId = server.bucketId("bucket");
  const deed = { kind: "status", status: 503, code: "service_unavailable", retryAfter: 7 } as const;
  server.faults.plan([{ api: list, from: 2, times: 2, deed }]);
  const codes: number[] = [];
  for (let call = 0; call < 4; call += 1) {
    const answer = await client.call(list, { bucketId });
    codes.push(answer.status);
    if (answer.status === 503) {
      refused(answer, 503, "service_unavailable");
      assert.equal(answer.headers.get("retry-after"), "7");
    }
  }
  assert.deepEqual(codes, [200, 503, 503, 200]);
  assert.equal(server.faults.pending(), 0);
  const statuses = server.requests.filter(({ api }) => api === list).map(({ status }) => status);
  assert.deepEqual(statuses, codes);
});

test("a fault for one file name leaves the others alone", async (t) => {
  const server = await startB2(t);
  const client = await connect(server);
  const bucketId = server.bucketId("bucket");
  for (const name of ["a", "b"]) server.put(name, name);
  const deed = { kind: "status", status: 403, code: "download_cap_exceeded" } as const;
  server.faults.plan([{ name: "b", times: Infinity, deed }]);
  assert.equal((await client.get("bucket/a")).status, 200);
  refused(await client.get("bucket/b"), 403, "download_cap_exceeded");
  refused(await client.call("b2_hide_file", { bucketId, fileName: "b" }), 403, deed.code);
  server.faults.clear();
  assert.equal((await client.get("bucket/b")).status, 200);
});

test("a reset comes before the deed, a lost answer behind it", async (t) => {
  const server = await startB2(t);
  const client = await connect(server);
  const bucketId = server.bucketId("bucket");
  for (const name of ["a", "b"]) server.put(name, name);
  server.faults.plan([
    { name: "a", deed: { kind: "reset" } },
    { name: "b", deed: { kind: "lost" } },
  ]);
  for (const fileName of ["a", "b"])
    await assert.rejects(client.call("b2_hide_file", { bucketId, fileName }), TypeError);
  const actions = server.versions().map(({ fileName, action }) => `${fileName} ${action}`);
  assert.deepEqual(actions, ["a upload", "b hide", "b upload"]);
});

test("bodies that break off, dawdle, or have a wrong bit", async (t) => {
  const server = await startB2(t);
  const client = await connect(server);
  const content = Buffer.alloc(100_000, 1);
  server.put("a", content);
  const api = "b2_download_file_by_name";
  server.faults.plan([
    { api, deed: { kind: "truncate", bytes: 70_000 } },
    { api, from: 2, deed: { kind: "trickle", bytes: 40_000, ms: 1 } },
    { api, from: 3, deed: { kind: "flip", byte: 65_600 } },
  ]);
  await assert.rejects(client.get("bucket/a"), TypeError);
  assert.deepEqual((await client.get("bucket/a")).body, content);
  const flipped = (await client.get("bucket/a")).body;
  const wrong = [...flipped.entries()].filter(([, value]) => value !== 1).map(([at]) => at);
  assert.deepEqual(wrong, [65_600]);
  assert.deepEqual((await client.get("bucket/a")).body, content);
});

test("what hangs or stalls ends with the server", async (t) => {
  const server = await startB2(t);
  const client = await connect(server);
  server.put("a", Buffer.alloc(10));
  const api = "b2_download_file_by_name";
  server.faults.plan([
    { api, deed: { kind: "hang" } },
    { api, from: 2, deed: { kind: "stall", bytes: 5 } },
  ]);
  const requests = [client.get("bucket/a"), client.get("bucket/a")];
  const ends = requests.map(async (one) => assert.rejects(one, TypeError));
  while (server.requests.length < 3) await new Promise((resolve) => void setImmediate(resolve));
  await server.close();
  await Promise.all(ends);
});

test("every token expires in the middle of things", async (t) => {
  const server = await startB2(t);
  const client = await connect(server);
  const bucketId = server.bucketId("bucket");
  server.faults.plan([{ api: list, from: 2, deed: { kind: "expire" } }]);
  assert.equal((await client.call(list, { bucketId })).status, 200);
  refused(await client.call(list, { bucketId }), 401, "expired_auth_token");
  refused(await client.call("b2_list_buckets"), 401, "expired_auth_token");
  assert.equal((await (await connect(server)).call(list, { bucketId })).status, 200);
});

test("a short page, even an empty one, tells where to go on", async (t) => {
  const server = await startB2(t);
  const client = await connect(server);
  for (const name of ["a", "b", "c"]) server.put(name, "");
  server.faults.plan([
    { api: list, deed: { kind: "short", entries: 0 } },
    { api: list, from: 2, deed: { kind: "short", entries: 2 } },
  ]);
  const query = { bucketId: server.bucketId("bucket") };
  const empty = listed(await client.call(list, query));
  assert.deepEqual([empty.names, empty.nextFileName], [[], "a"]);
  const two = listed(await client.call(list, { ...query, startFileName: "a" }));
  assert.deepEqual([two.names, two.nextFileName], [["a", "b"], "c"]);
});

test("calls are billed by class, a long listing once for each thousand of its entries", async (t) => {
  const server = await startB2(t, { generated: [{ bucket: "many", versions: 3123, perFile: 3 }] });
  const client = await connect(server);
  assert.deepEqual(server.billed(), { A: 0, B: 0, C: 1 });
  const query = { bucketId: server.bucketId("many"), maxFileCount: 10_000 };
  const { names } = listed(await client.call(list, query));
  assert.equal(names.length, 3123);
  assert.deepEqual(server.billed(), { A: 0, B: 0, C: 5 });
  server.put("a", "");
  await client.get("bucket/a");
  await client.upload(server.bucketId("bucket"), "a", "");
  assert.deepEqual(server.billed(), { A: 2, B: 1, C: 5 });
});

test("a generated listing is the same every time, in order, and loses what is deleted", async (t) => {
  const generated = {
    bucket: "many",
    versions: 60_001,
    perFile: 4,
    hidden: (file: number, version: number) => version === 0 && file % 10 === 0,
  };
  const server = await startB2(t, { generated: [generated] });
  const client = await connect(server);
  const bucketId = server.bucketId("many");
  const read = async (from: object = {}): Promise<{ count: number; last: string }> => {
    let [count, last, start] = [0, "", from];
    for (;;) {
      const page = listed(await client.call(list, { bucketId, maxFileCount: 10_000, ...start }));
      for (const name of page.names) {
        assert.ok(name >= last);
        last = name;
      }
      count += page.names.length;
      if (page.nextFileName === null) return { count, last };
      start = { startFileName: page.nextFileName, startFileId: page.nextFileId };
    }
  };
  assert.equal((await read()).count, generated.versions);
  const prefix = "d000/d012/";
  const some = listed(await client.call(list, { bucketId, prefix, maxFileCount: 5 }));
  assert.deepEqual(some.actions, ["hide", "upload", "upload", "upload", "upload"]);
  const again = listed(await client.call(list, { bucketId, prefix, maxFileCount: 5 }));
  assert.deepEqual(again, some);
  const [name = "", , fileName] = some.names;
  assert.equal(name, "d000/d012/f000012000.bin");
  const fileId = some.ids[2];
  assert.equal((await client.call("b2_delete_file_version", { fileName, fileId })).status, 200);
  const gone = await client.call("b2_delete_file_version", { fileName, fileId });
  refused(gone, 400, "file_not_present");
  const rest = listed(await client.call(list, { bucketId, prefix, maxFileCount: 4 }));
  assert.deepEqual(rest.ids, some.ids.toSpliced(2, 1));
  const { count } = await read({ startFileName: name, startFileId: fileId });
  assert.equal(count, generated.versions - 12_000 * 4 - 3);
});
