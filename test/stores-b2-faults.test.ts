// What goes wrong between us and Backblaze: what passes is waited out, the rest is told, and a
// listing that failed is never an empty or a short one.
import { test } from "node:test";
import assert from "node:assert/strict";
import { Failure } from "../lib/errors.ts";
import type { StoredVersion } from "../lib/stores/store.ts";
import type { Deed } from "./helpers/b2/faults.ts";
import { startB2, type B2Server } from "./helpers/b2/server.ts";
import { openOn } from "./helpers/b2store.ts";
import { all, raw, read } from "./helpers/storecontract.ts";

const timeouts = { headersTimeout: 150, bodyTimeout: 150 };

function fill(server: B2Server, count: number): void {
  for (let at = 0; at < count; at += 1) server.put(`f${String(at).padStart(3, "0")}`, `file ${at}`);
}

function calls(server: B2Server, api: string): number {
  return server.requests.filter((request) => request.api === api).length;
}

const passing: Readonly<Record<string, Deed>> = {
  "a 500": { kind: "status", status: 500, code: "internal_error" },
  "a 503": { kind: "status", status: 503, code: "service_unavailable" },
  "a 429": { kind: "status", status: 429, code: "too_many_requests", retryAfter: 3 },
  "a 408": { kind: "status", status: 408, code: "request_timeout" },
  "a reset": { kind: "reset" },
  "a lost answer": { kind: "lost" },
  "a truncated answer": { kind: "truncate", bytes: 100 },
  "a stalled answer": { kind: "stall", bytes: 100 },
  "no answer": { kind: "hang" },
  "an expired token": { kind: "expire" },
};

for (const [what, deed] of Object.entries(passing)) {
  test(`${what} in the middle of a listing is waited out`, async (t) => {
    const server = await startB2(t);
    fill(server, 30);
    // A new token that is refused too would be no passing fault.
    const times = deed.kind === "expire" ? 1 : 2;
    server.faults.plan([{ api: "b2_list_file_versions", from: 2, times, deed }]);
    const waits: number[] = [];
    const store = await openOn(t, server, { pageSize: 10, timeouts, waits });
    const versions = await all(store);
    assert.deepEqual(
      versions.map(({ name }) => name),
      server.versions().map(({ fileName }) => fileName),
    );
    if (deed.kind === "expire") assert.deepEqual(waits, []);
    else if (deed.kind === "status" && deed.retryAfter !== undefined)
      assert.deepEqual(waits, [3000, 3000]);
    else assert.deepEqual(waits, [1000, 2000]);
  });
}

test("a slow listing that moves is waited for", async (t) => {
  const server = await startB2(t);
  fill(server, 3);
  const deed: Deed = { kind: "trickle", bytes: 400, ms: 20 };
  server.faults.plan([{ api: "b2_list_file_versions", deed }]);
  const waits: number[] = [];
  const store = await openOn(t, server, { waits });
  assert.equal((await all(store)).length, 3);
  assert.deepEqual(waits, []);
});

test("a page of nothing with more behind it is no end", async (t) => {
  const server = await startB2(t);
  fill(server, 30);
  const store = await openOn(t, server, { pageSize: 10 });
  server.faults.plan([{ api: "b2_list_file_versions", deed: { kind: "short", entries: 3 } }]);
  assert.equal((await all(store)).length, 30);
});

test("a network that goes in the middle ends the listing in a failure", async (t) => {
  const server = await startB2(t);
  fill(server, 30);
  const store = await openOn(t, server, { pageSize: 10 });
  server.faults.plan([{ from: 2, times: Number.POSITIVE_INFINITY, deed: { kind: "reset" } }]);
  const seen: StoredVersion[] = [];
  await assert.rejects(
    async () => {
      for await (const page of store.versions(raw(""))) seen.push(...page);
    },
    (error) => {
      assert.ok(error instanceof Failure && error.outcome === "failed");
      assert.match(error.message, /expected an answer, found/);
      return true;
    },
  );
  assert.equal(seen.length, 10);
});

test("a token that expires is renewed once, however many calls meet it", async (t) => {
  const server = await startB2(t);
  fill(server, 40);
  const store = await openOn(t, server);
  const versions = await all(store);
  server.expireTokens();
  const removed = await store.remove(versions);
  assert.ok(removed.every(({ result }) => result === "removed"));
  assert.equal(calls(server, "b2_authorize_account"), 2);
});

test("a token that is refused again and again is told, not renewed for ever", async (t) => {
  const server = await startB2(t);
  fill(server, 1);
  const store = await openOn(t, server);
  server.faults.plan([
    {
      api: "b2_list_file_versions",
      times: Number.POSITIVE_INFINITY,
      deed: { kind: "status", status: 401, code: "bad_auth_token" },
    },
  ]);
  await assert.rejects(all(store), (error) => {
    assert.ok(error instanceof Failure && error.outcome === "usage");
    assert.match(error.message, /bad_auth_token/);
    assert.ok(!error.message.includes(server.key));
    return true;
  });
  assert.equal(calls(server, "b2_authorize_account"), 2);
});

for (const [code, cap] of [
  ["cap_exceeded", "a cap of the account"],
  ["storage_cap_exceeded", "the cap on storage"],
  ["transaction_cap_exceeded", "the cap on transactions"],
  ["download_cap_exceeded", "the cap on downloads"],
] as const) {
  test(`403 ${code} stops everything and says which cap`, async (t) => {
    const server = await startB2(t);
    fill(server, 30);
    const waits: number[] = [];
    const store = await openOn(t, server, { waits });
    const versions = await all(store);
    server.faults.plan([
      {
        api: "b2_delete_file_version",
        from: 5,
        times: Number.POSITIVE_INFINITY,
        deed: { kind: "status", status: 403, code },
      },
    ]);
    await assert.rejects(store.remove(versions), (error) => {
      assert.ok(error instanceof Failure && error.outcome === "failed");
      assert.ok(error.message.includes(`found ${cap} exceeded`), error.message);
      assert.match(error.hint ?? "", /caps/i);
      return true;
    });
    assert.deepEqual(waits, []);
    assert.equal(server.versions().length, 26);
    // Those that were under way may have met it too, and none was begun after.
    assert.ok(calls(server, "b2_delete_file_version") <= 4 + 10);
  });
}

test("a key that loses its right to delete is told, and stops everything", async (t) => {
  const server = await startB2(t);
  fill(server, 20);
  const store = await openOn(t, server, { concurrency: 1 });
  const versions = await all(store);
  const deed: Deed = { kind: "status", status: 401, code: "unauthorized", message: "no more" };
  server.faults.plan([{ api: "b2_delete_file_version", from: 3, times: 99, deed }]);
  await assert.rejects(store.remove(versions), (error) => {
    assert.ok(error instanceof Failure && error.outcome === "usage");
    assert.match(error.message, /to remove a version of f002: .*401 unauthorized no more/);
    return true;
  });
  assert.equal(server.versions().length, 18);
});

test("one version that may not be removed hinders no other", async (t) => {
  const server = await startB2(t);
  fill(server, 20);
  const store = await openOn(t, server);
  const versions = await all(store);
  const deed: Deed = { kind: "status", status: 403, code: "access_denied", message: "locked" };
  server.faults.plan([{ api: "b2_delete_file_version", name: "f007", times: 99, deed }]);
  const removed = await store.remove(versions);
  assert.deepEqual(
    removed.filter(({ result }) => result !== "removed").map(({ version }) => version.name),
    ["f007"],
  );
  const refusal = removed[7];
  assert.ok(refusal?.result === "failed");
  assert.match(refusal.error.message, /to remove a version of f007: .*access_denied locked/);
  assert.deepEqual(
    server.versions().map(({ fileName }) => fileName),
    ["f007"],
  );
});

test("a removal whose answer was lost is done, and what others removed is gone", async (t) => {
  const server = await startB2(t);
  fill(server, 3);
  const store = await openOn(t, server);
  const versions = await all(store);
  const [, elsewhere] = versions;
  assert.ok(elsewhere !== undefined);
  server.remove(elsewhere.id);
  server.faults.plan([{ api: "b2_delete_file_version", name: "f000", deed: { kind: "lost" } }]);
  const removed = await store.remove(versions);
  assert.deepEqual(
    removed.map(({ result }) => result),
    ["gone", "gone", "removed"],
  );
  assert.deepEqual(server.versions(), []);
});

for (const status of [503, 500, 429, 408])
  test(`a service that goes on answering ${status} ends a removal, and not one file after the other`, async (t) => {
    const server = await startB2(t);
    fill(server, 300);
    const store = await openOn(t, server);
    const versions = await all(store);
    server.faults.plan([
      {
        api: "b2_delete_file_version",
        times: Number.POSITIVE_INFINITY,
        deed: { kind: "status", status, code: "service_unavailable" },
      },
    ]);
    await assert.rejects(store.remove(versions), new RegExp(`found ${status}`));
    assert.ok(calls(server, "b2_delete_file_version") <= 10 * 11);
    assert.equal(server.versions().length, 300);
  });

test("a copy in parts whose last answer was lost is done, and once", async (t) => {
  const server = await startB2(t, { absoluteMinimumPartSize: 10, recommendedPartSize: 20 });
  server.put("f", "x".repeat(100));
  const store = await openOn(t, server, { copyWholeUpTo: 30 });
  const [version] = await all(store);
  assert.ok(version !== undefined);
  server.faults.plan([{ api: "b2_finish_large_file", deed: { kind: "lost" } }]);
  await store.makeCurrent(version);
  assert.equal(calls(server, "b2_finish_large_file"), 2);
  assert.deepEqual(
    server.versions().map(({ action, contentLength }) => `${action} ${contentLength}`),
    ["upload 100", "upload 100"],
  );
});

test("a copy in parts that somebody cancelled is a failure", async (t) => {
  const server = await startB2(t, { absoluteMinimumPartSize: 10, recommendedPartSize: 20 });
  server.put("f", "x".repeat(100));
  const store = await openOn(t, server, { copyWholeUpTo: 30 });
  const [version] = await all(store);
  assert.ok(version !== undefined);
  server.faults.plan([
    {
      api: "b2_finish_large_file",
      deed: {
        kind: "status",
        status: 400,
        code: "bad_request",
        message: "No active upload for: 4_z",
      },
    },
  ]);
  await assert.rejects(store.makeCurrent(version), /to copy a version of f: .*No active upload/);
  assert.equal(server.versions().length, 1);
});

test("a network that goes while removing is a failure, and a rerun goes on", async (t) => {
  const server = await startB2(t);
  fill(server, 30);
  const store = await openOn(t, server);
  const versions = await all(store);
  server.faults.plan([
    {
      api: "b2_delete_file_version",
      from: 9,
      times: Number.POSITIVE_INFINITY,
      deed: { kind: "reset" },
    },
  ]);
  await assert.rejects(store.remove(versions), /expected an answer, found/);
  assert.equal(server.versions().length, 22);
  server.faults.clear();
  const again = await store.remove(versions);
  // A removal that was under way at the end may have reached the service all the same.
  const gone = again.filter(({ result }) => result === "gone").length;
  assert.ok(gone >= 8 && gone < 20, String(gone));
  assert.equal(again.filter(({ result }) => result === "removed").length, 30 - gone);
  assert.deepEqual(server.versions(), []);
});

test("503 slows removals down, and all are done in the end", async (t) => {
  const server = await startB2(t);
  fill(server, 50);
  const store = await openOn(t, server);
  const versions = await all(store);
  const deed: Deed = { kind: "status", status: 503, code: "service_unavailable" };
  server.faults.plan([
    { api: "b2_delete_file_version", from: 5, times: 4, deed },
    { api: "b2_delete_file_version", from: 25, times: 4, deed },
  ]);
  const removed = await store.remove(versions);
  assert.ok(removed.every(({ result }) => result === "removed"));
  assert.equal(server.faults.pending(), 0);
});

test("removing stops where it is when aborted", async (t) => {
  const server = await startB2(t);
  fill(server, 30);
  const stop = new AbortController();
  const reason = new Error("stop now");
  const store = await openOn(t, server, { concurrency: 2 });
  const versions = await all(store);
  server.faults.plan([
    { api: "b2_delete_file_version", from: 4, times: 2, deed: { kind: "hang" } },
  ]);
  const removing = store.remove(versions, stop.signal);
  const refused = assert.rejects(removing, reason);
  while (server.versions().length > 27) await new Promise((resolve) => setImmediate(resolve));
  stop.abort(reason);
  await refused;
  assert.ok(server.versions().length >= 25);
});

const content = "0123456789".repeat(100_000);

for (const [what, deed] of Object.entries({
  "a truncated": { kind: "truncate", bytes: 300_000 },
  "a stalled": { kind: "stall", bytes: 300_000 },
  "a reset": { kind: "reset" },
  "an expired": { kind: "expire" },
} satisfies Record<string, Deed>)) {
  test(`${what} download goes on and is whole`, async (t) => {
    const server = await startB2(t);
    server.put("f", content);
    const store = await openOn(t, server, { timeouts });
    const [version] = await all(store);
    assert.ok(version !== undefined);
    const times = deed.kind === "expire" ? 1 : 2;
    server.faults.plan([{ api: "b2_download_file_by_id", times, deed }]);
    assert.ok((await read(store, version)) === content);
    assert.equal(server.faults.pending(), 0);
    server.faults.plan([{ api: "b2_download_file_by_id", times, deed }]);
    assert.ok(
      (await read(store, version, { start: 5, length: 900_001 })) === content.slice(5, 900_006),
    );
  });
}

test("a download whose bytes differ from the service's checksum ends in a failure", async (t) => {
  const server = await startB2(t);
  server.put("f", content);
  const store = await openOn(t, server);
  const [version] = await all(store);
  assert.ok(version !== undefined);
  server.faults.plan([{ api: "b2_download_file_by_id", deed: { kind: "flip", byte: 777 } }]);
  await assert.rejects(read(store, version), /b2:bucket: to read f: expected content of SHA-1/);
});

test("a download of what isn't there any more, or is of another length, is a failure", async (t) => {
  const server = await startB2(t);
  server.put("f", content);
  const store = await openOn(t, server);
  const [version] = await all(store);
  assert.ok(version !== undefined);
  await assert.rejects(
    read(store, { ...version, size: 999 }),
    /to read f: expected 999 bytes, found an answer of 1000000/,
  );
  server.remove(version.id);
  await assert.rejects(read(store, version), /to read f: .*404/);
});

test("a service that can't be reached is told without a secret", async (t) => {
  const server = await startB2(t);
  await server.close();
  const waits: number[] = [];
  await assert.rejects(openOn(t, server, { waits }), (error) => {
    assert.ok(error instanceof Failure);
    assert.match(error.message, /^http:\/\/127\.0\.0\.1:\d+: expected an answer, found ECONN/);
    assert.ok(!JSON.stringify([error, String(error.cause)]).includes(server.key));
    return true;
  });
  assert.equal(waits.length, 10);
});
