// The B2 server of the tests: what keys may do, tokens, and buckets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, listed, refused, request } from "./helpers/b2/client.ts";
import type { Answered } from "./helpers/b2/client.ts";
import { startB2 } from "./helpers/b2/server.ts";

test("keys may do what they were made for, in their bucket and below their prefix", async (t) => {
  const server = await startB2(t);
  const other = server.addBucket("other");
  const bucketId = server.bucketId("bucket");
  const { fileId } = server.put("in/a", "1");
  const outside = server.put("out/a", "1");
  const capabilities = ["listBuckets", "listFiles", "readFiles", "writeFiles"];
  const client = await connect(
    server,
    server.addKey({ capabilities, bucket: "bucket", namePrefix: "in/" }),
  );
  const list = async (query: object): Promise<Answered> =>
    client.call("b2_list_file_versions", { bucketId, ...query });
  assert.deepEqual(listed(await list({ prefix: "in/" })).names, ["in/a"]);
  refused(await list({}), 401, "unauthorized");
  refused(await list({ prefix: "i" }), 401, "unauthorized");
  refused(await list({ prefix: "in/", bucketId: other }), 401, "unauthorized");
  refused(await client.call("b2_list_buckets", {}), 401, "unauthorized");
  assert.equal((await client.call("b2_list_buckets", { bucketName: "bucket" })).status, 200);
  refused(await client.upload(bucketId, "out/b", ""), 401, "unauthorized");
  assert.equal((await client.upload(bucketId, "in/b", "")).status, 200);
  refused(await client.get("bucket/out/a"), 401, "unauthorized");
  const { fileId: notOurs } = outside;
  refused(await client.call("b2_get_file_info", { fileId: notOurs }), 401, "unauthorized");
  const deletion = await client.call("b2_delete_file_version", { fileName: "in/a", fileId });
  refused(deletion, 401, "unauthorized");
  assert.equal(server.versions().length, 3);
});

test("what a key may do stands in the authorisation, in the form of each version of the API", async (t) => {
  const server = await startB2(t);
  const key = server.addKey({ capabilities: ["listFiles"], bucket: "bucket", namePrefix: "p/" });
  const authorize = async (version: number, secret = key.key): Promise<Answered> =>
    request(`${server.url}/b2api/v${version}/b2_authorize_account`, {
      headers: { authorization: `Basic ${btoa(`${key.keyId}:${secret}`)}` },
    });
  const id = server.bucketId("bucket");
  const old = { bucketId: id, bucketName: "bucket", capabilities: ["listFiles"], namePrefix: "p/" };
  for (const version of [1, 2]) {
    const { json } = await authorize(version);
    assert.deepEqual([json["allowed"], json["apiUrl"]], [old, server.url]);
  }
  const third = await authorize(3);
  assert.match(third.body.toString(), /"storageApi":\{.*"bucketName":"bucket"/);
  const fourth = await authorize(4);
  assert.match(
    fourth.body.toString(),
    /"allowed":\{"buckets":\[\{"id":"[^"]+","name":"bucket"\}\]/,
  );
  refused(await authorize(2, "wrong"), 401, "unauthorized");
});

test("tokens expire after a day of the server's clock, or at once", async (t) => {
  const server = await startB2(t);
  const bucketId = server.bucketId("bucket");
  const client = await connect(server);
  server.clock.advance(86_399_999);
  assert.equal((await client.call("b2_list_file_names", { bucketId })).status, 200);
  server.clock.advance(1);
  const late = await client.call("b2_list_file_names", { bucketId });
  refused(late, 401, "expired_auth_token");
  const fresh = await connect(server);
  server.expireTokens();
  refused(await fresh.call("b2_list_file_names", { bucketId }), 401, "expired_auth_token");
  const bad = await request(`${server.url}/b2api/v2/b2_list_buckets`, { method: "POST" });
  refused(bad, 401, "bad_auth_token");
});

test("buckets: names are taken once, and only an empty one goes", async (t) => {
  const server = await startB2(t);
  const client = await connect(server);
  const body = { bucketName: "more", bucketType: "allPrivate" };
  const { json } = await client.call("b2_create_bucket", body);
  refused(await client.call("b2_create_bucket", body), 400, "duplicate_bucket_name");
  server.put("a", "", { bucket: "more" });
  const { bucketId } = json;
  const full = await client.call("b2_delete_bucket", { bucketId });
  refused(full, 400, "cannot_delete_non_empty_bucket");
  const lifecycleRules = [{ fileNamePrefix: "", daysFromHidingToDeleting: 1 }];
  const updated = await client.call("b2_update_bucket", { bucketId, lifecycleRules });
  assert.deepEqual([updated.json["lifecycleRules"], updated.json["revision"]], [lifecycleRules, 2]);
  const stale = await client.call("b2_update_bucket", { bucketId, ifRevisionIs: 1 });
  refused(stale, 409, "conflict");
  for (const { fileId } of server.versions("more")) server.remove(fileId);
  assert.equal((await client.call("b2_delete_bucket", { bucketId })).status, 200);
  const gone = await client.call("b2_list_file_names", { bucketId });
  refused(gone, 400, "bad_bucket_id");
});
