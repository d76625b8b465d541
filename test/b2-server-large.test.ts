// The B2 server of the tests: large files and copies.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { connect, listed, refused, request } from "./helpers/b2/client.ts";
import type { Answered } from "./helpers/b2/client.ts";
import { startB2 } from "./helpers/b2/server.ts";

function sum(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

test("large files: parts, their sums, cancelling, listing the unfinished", async (t) => {
  const server = await startB2(t, { absoluteMinimumPartSize: 5 });
  const client = await connect(server);
  const bucketId = server.bucketId("bucket");
  const begin = async (fileName: string): Promise<string> => {
    const body = { bucketId, fileName, contentType: "text/plain" };
    return String((await client.call("b2_start_large_file", body)).json["fileId"]);
  };
  const part = async (fileId: string, number: number, content: string): Promise<Answered> => {
    const { json } = await client.call("b2_get_upload_part_url", { fileId });
    return request(String(json["uploadUrl"]), {
      method: "POST",
      headers: {
        authorization: String(json["authorizationToken"]),
        "x-bz-part-number": String(number),
        "x-bz-content-sha1": sum(content),
      },
      body: content,
    });
  };
  const fileId = await begin("large");
  server.clock.advance(10);
  const other = await begin("other");
  const finish = async (...texts: readonly string[]): Promise<Answered> =>
    client.call("b2_finish_large_file", { fileId, partSha1Array: texts.map(sum) });
  await part(fileId, 2, "end");
  refused(await finish("start", "end"), 400, "missing_part");
  await part(fileId, 1, "star");
  refused(await finish("star", "end"), 400, "bad_request");
  await part(fileId, 1, "start");
  refused(await finish("other", "end"), 400, "part_sha1_mismatch");
  const { json } = await client.call("b2_list_parts", { fileId, maxPartCount: 1 });
  assert.equal(json["nextPartNumber"], 2);
  const unfinished = await client.call("b2_list_unfinished_large_files", { bucketId });
  assert.deepEqual(listed(unfinished).ids, [fileId, other]);
  const done = await finish("start", "end");
  assert.deepEqual([done.json["contentLength"], done.json["contentSha1"]], [8, "none"]);
  assert.equal((await client.get("bucket/large")).body.toString(), "startend");
  assert.equal((await client.call("b2_cancel_large_file", { fileId: other })).status, 200);
  refused(await client.call("b2_cancel_large_file", { fileId: other }), 400, "bad_request");
  assert.deepEqual(
    server.versions().map(({ action }) => action),
    ["upload"],
  );
});

test("a copy is a new version, of the same name too, with the old one's info or a new one", async (t) => {
  const server = await startB2(t, { largestCopy: 10 });
  const client = await connect(server);
  const { fileId: sourceFileId } = server.put("a", "old", { modifiedAt: 7 });
  server.put("a", "new");
  const body = { sourceFileId, fileName: "a" };
  const copied = await client.call("b2_copy_file", body);
  assert.equal(copied.json["action"], "copy");
  assert.deepEqual(copied.json["fileInfo"], { src_last_modified_millis: "7" });
  assert.equal((await client.get("bucket/a")).body.toString(), "old");
  assert.equal(server.versions().length, 3);
  const replaced = { ...body, metadataDirective: "REPLACE", fileInfo: { a: "b" } };
  refused(await client.call("b2_copy_file", replaced), 400, "bad_request");
  const info = await client.call("b2_copy_file", { ...replaced, contentType: "text/plain" });
  assert.deepEqual(info.json["fileInfo"], { a: "b" });
  const { fileId: large } = server.put("large", "x".repeat(11));
  const tooLarge = { sourceFileId: large, fileName: "b" };
  refused(await client.call("b2_copy_file", tooLarge), 400, "source_too_large");
  const ranged = await client.call("b2_copy_file", { ...tooLarge, range: "bytes=0-9" });
  assert.equal(ranged.json["contentLength"], 10);
});
