// The B2 server of the tests keeps to the semantics of the service: orders, pages, files, errors.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { connect, listed, refused } from "./helpers/b2/client.ts";
import type { Answered, Client, Listed } from "./helpers/b2/client.ts";
import { synthetic, whole } from "./helpers/b2/content.ts";
import { startB2 } from "./helpers/b2/server.ts";

/** Every page of the versions of a bucket; `between` is called after each one. */
async function pages(
  client: Client,
  query: { readonly bucketId: string; readonly [field: string]: unknown },
  between: (page: Listed) => void = () => {},
): Promise<Listed[]> {
  const all: Listed[] = [];
  let start = {};
  for (;;) {
    const page = listed(await client.call("b2_list_file_versions", { ...query, ...start }));
    all.push(page);
    between(page);
    if (page.nextFileName === null) return all;
    start = { startFileName: page.nextFileName, startFileId: page.nextFileId };
  }
}

test("names are in the order of their UTF-8 bytes, versions newest first", async (t) => {
  const server = await startB2(t);
  const names = ["a", "B", "é", "z/", "\u{ff21}", "\u{1f600}", "a b", "a/b", "a.b"];
  for (const name of names.map((one) => one.replace(/\/$/, "/x"))) server.put(name, "1");
  server.clock.advance(1);
  server.put("a", "2");
  const client = await connect(server);
  const query = { bucketId: server.bucketId("bucket"), maxFileCount: 100 };
  const { names: found } = listed(await client.call("b2_list_file_versions", query));
  const wanted = [...new Set(found)].toSorted((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  assert.deepEqual([...new Set(found)], wanted);
  assert.equal(found.length, names.length + 1);
  const [newest, older] = server.versions().filter(({ fileName }) => fileName === "a");
  assert.ok(newest && older && newest.uploadTimestamp > older.uploadTimestamp);
  assert.equal(server.content(newest.fileId).toString(), "2");
});

test("pages of any length, with prefix and delimiter, make up the whole", async (t) => {
  const server = await startB2(t);
  const client = await connect(server);
  const name = fc.stringMatching(/^[ab](\/?[abé\u{1f600}]){0,4}$/u);
  const property = fc.asyncProperty(
    fc.array(name, { maxLength: 30 }),
    fc.integer({ min: 1, max: 7 }),
    fc.constantFrom("", "a", "a/", "b/a"),
    fc.constantFrom("", "/"),
    async (names, maxFileCount, prefix, delimiter) => {
      const bucketId = server.addBucket(`bucket-${server.requests.length}`);
      for (const one of names) {
        const answer = await client.upload(bucketId, one, "x");
        assert.equal(answer.status, 200, answer.body.toString());
      }
      const query = { bucketId, prefix, delimiter };
      const small = await pages(client, { ...query, maxFileCount });
      const [large] = await pages(client, { ...query, maxFileCount: 10_000 });
      assert.deepEqual(
        small.flatMap((page) => page.names),
        large?.names,
      );
      assert.deepEqual(
        small.flatMap((page) => page.ids),
        large?.ids,
      );
      const below = names.filter((one) => one.startsWith(prefix));
      if (delimiter === "") return assert.equal(large?.names.length, below.length);
      const folded = below.map((one) => {
        const at = one.indexOf("/", prefix.length);
        return at < 0 ? one : one.slice(0, at + 1);
      });
      assert.deepEqual(new Set(large?.names), new Set(folded));
      const folders = large?.names.filter((one) => one.endsWith("/")) ?? [];
      assert.equal(new Set(folders).size, folders.length);
    },
  );
  await fc.assert(property, { numRuns: 25 });
});

test("a listing goes on where it was when versions are deleted between its pages", async (t) => {
  const server = await startB2(t);
  for (const name of ["a", "b", "c"])
    for (let count = 0; count < 5; count += 1) server.put(name, String(count));
  const wanted = server.versions().map(({ fileId }) => fileId);
  const client = await connect(server);
  const query = { bucketId: server.bucketId("bucket"), maxFileCount: 2 };
  const seen = await pages(client, query, ({ ids, nextFileId }) => {
    for (const id of ids) server.remove(id);
    const skipped = nextFileId ?? "";
    if (wanted.indexOf(skipped) === 6) server.remove(skipped);
  });
  const found = seen.flatMap(({ ids }) => ids);
  assert.deepEqual(found, wanted.toSpliced(6, 1));
});

test("markers hide, an unfinished large file is listed as start and hides nothing", async (t) => {
  const server = await startB2(t);
  const client = await connect(server);
  const bucketId = server.bucketId("bucket");
  server.put("a", "1");
  server.put("b", "2");
  server.clock.advance(1000);
  const marker = await client.call("b2_hide_file", { bucketId, fileName: "a" });
  assert.equal(marker.json["action"], "hide");
  assert.equal(marker.json["contentLength"], 0);
  assert.equal(marker.json["uploadTimestamp"], server.clock.now());
  refused(await client.call("b2_hide_file", { bucketId, fileName: "a" }), 400, "already_hidden");
  refused(await client.call("b2_hide_file", { bucketId, fileName: "c" }), 400, "no_such_file");
  server.startLarge("b", ["half"]);
  const names = listed(await client.call("b2_list_file_names", { bucketId }));
  assert.deepEqual(names.names, ["b"]);
  const versions = listed(await client.call("b2_list_file_versions", { bucketId }));
  assert.deepEqual(versions.actions, ["hide", "upload", "start", "upload"]);
  refused(await client.get("bucket/a"), 404, "not_found");
  assert.equal((await client.get("bucket/b")).body.toString(), "2");
  const [fileId] = versions.ids;
  await client.call("b2_delete_file_version", { fileName: "a", fileId });
  assert.equal((await client.get("bucket/a")).body.toString(), "1");
  const again = await client.call("b2_delete_file_version", { fileName: "a", fileId });
  refused(again, 400, "file_not_present");
});

test("no two versions of a name have one time, whatever the clock does", async (t) => {
  const server = await startB2(t, { now: 5000 });
  server.put("a", "1");
  server.put("a", "2");
  server.put("b", "1");
  server.clock.set(1000);
  server.put("a", "3");
  const times = server
    .versions()
    .map(({ fileName, uploadTimestamp }) => [fileName, uploadTimestamp]);
  assert.deepEqual(times, [
    ["a", 5002],
    ["a", 5001],
    ["a", 5000],
    ["b", 5000],
  ]);
});

test("names that the service does not take", async (t) => {
  const server = await startB2(t);
  const client = await connect(server);
  const bucketId = server.bucketId("bucket");
  for (const name of ["/a", "a/", "a//b", "a\u{1}b", "a\\b", "a\u{7f}", "é".repeat(513)])
    refused(await client.upload(bucketId, name, ""), 400, "bad_request");
  for (const name of ["é".repeat(512), " a ", "a+b %", "💾", "a/b/c"])
    assert.equal((await client.upload(bucketId, name, "")).status, 200);
  const found = server.versions().map(({ fileName }) => fileName);
  assert.deepEqual(found, [" a ", "a+b %", "a/b/c", "é".repeat(512), "💾"]);
});

test("a wrong checksum is refused, a right one kept", async (t) => {
  const server = await startB2(t);
  const client = await connect(server);
  const bucketId = server.bucketId("bucket");
  const sha1 = createHash("sha1").update("content").digest("hex");
  const send = async (name: string, content: string, sum: string): Promise<Answered> =>
    client.upload(bucketId, name, content, { "x-bz-content-sha1": sum });
  assert.equal((await send("a", "content", sha1)).json["contentSha1"], sha1);
  const atEnd = await send("b", `content${sha1}`, "hex_digits_at_end");
  assert.deepEqual([atEnd.json["contentSha1"], atEnd.json["contentLength"]], [sha1, 7]);
  refused(await send("c", "contenT", sha1), 400, "bad_request");
  refused(await send("c", `contenT${sha1}`, "hex_digits_at_end"), 400, "bad_request");
  assert.equal((await send("d", "x", "do_not_verify")).status, 200);
  assert.match(server.versions().at(-1)?.contentSha1 ?? "", /^unverified:/);
});

test("downloads: ranges, file info, the server's clock, and bad ids", async (t) => {
  const server = await startB2(t);
  const client = await connect(server);
  const content = synthetic("seed", 200_000);
  const { fileId } = server.put("a b", content, { modifiedAt: 1234, fileInfo: { who: "ü" } });
  const all = whole(content);
  const answer = await client.get("bucket/a%20b", { range: "bytes=65530-131079" });
  assert.equal(answer.status, 206);
  assert.deepEqual(answer.body, all.subarray(65_530, 131_080));
  assert.equal(answer.headers.get("content-range"), "bytes 65530-131079/200000");
  assert.equal(answer.headers.get("x-bz-info-src_last_modified_millis"), "1234");
  assert.equal(answer.headers.get("x-bz-info-who"), "%C3%BC");
  assert.equal(answer.headers.get("x-bz-file-id"), fileId);
  assert.equal(answer.headers.get("date"), new Date(server.clock.now()).toUTCString());
  const byId = await client.call("b2_download_file_by_id", { fileId });
  assert.deepEqual(byId.body, all);
  assert.equal(byId.headers.get("x-bz-content-sha1"), createHash("sha1").update(all).digest("hex"));
  refused(
    await client.get("bucket/a%20b", { range: "bytes=200000-" }),
    416,
    "range_not_satisfiable",
  );
  refused(await client.call("b2_get_file_info", { fileId: `${fileId}x` }), 404, "not_found");
  refused(await client.call("b2_download_file_by_id", { fileId: "4_z" }), 404, "not_found");
});
