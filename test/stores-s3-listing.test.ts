// What a server may do wrong while it lists: nothing short is taken for whole.
import { test } from "node:test";
import assert from "node:assert/strict";
import type { Store } from "../lib/stores/store.ts";
import { textFromRaw } from "../lib/units/rawpath.ts";
import { entry, fault, listing, send, type Answering } from "./helpers/s3fake.ts";
import { all } from "./helpers/storecontract.ts";
import { opened } from "./helpers/s3opened.ts";

const whole = listing([
  entry("Version", "d/a", "v2", "02", true),
  entry("Version", "d/a", "v1", "01"),
]);

async function told(store: Store): Promise<string[]> {
  return (await all(store)).map(({ name, id, kind, storedAt }) => {
    const seconds = new Date(storedAt).getUTCSeconds();
    return `${textFromRaw(name)} ${kind === "marker" ? "marker" : ""}${id} ${seconds}`;
  });
}

for (const [title, first] of [
  ["SlowDown", (response) => send(response, 503, fault("SlowDown"))],
  ["an internal error", (response) => send(response, 500, fault("InternalError"))],
  ["an error in an answer of 200", (response) => send(response, 200, fault("InternalError"))],
  ["a connection that is reset", (response) => response.destroy()],
  [
    "half a document without a length",
    (response) => {
      response.useChunkedEncodingByDefault = false;
      response.shouldKeepAlive = false;
      response.writeHead(200, { connection: "close" }).end(whole.slice(0, -60));
    },
  ],
  [
    "a body that breaks off",
    (response) => {
      response.writeHead(200, { "content-length": String(whole.length) });
      response.write(whole.slice(0, 100), () => response.destroy());
    },
  ],
] as const satisfies readonly (readonly [
  string,
  (response: Parameters<Answering>[1]) => unknown,
])[])
  test(`a listing is asked for again after ${title}`, async (t) => {
    const waits: number[] = [];
    const { fake, store } = await opened(
      t,
      (_, response) => (fake.came.length === 1 ? first(response) : send(response, 200, whole)),
      { waits },
    );
    assert.deepEqual(await told(store), ["a v2 2", "a v1 1"]);
    assert.equal(fake.came.length, 2);
    assert.equal(waits.length, 1);
  });

for (const [title, body, pattern] of [
  [
    "half a document",
    whole.slice(0, -60),
    /expected a whole document of ListObjectVersions|ListVersionsResult/,
  ],
  ["nothing", "", /expected a whole document/],
  ["a proxy's page", "<html><body>sign in</body></html>", /expected a whole document/],
  ["no word of whether that was all", listing([], ""), /IsTruncated/],
  ["no place to go on at", listing([], "<IsTruncated>true</IsTruncated>"), /NextKeyMarker/],
  ["a size that is none", whole.replace("<Size>1", "<Size>1e99"), /Size/],
  ["a time that is none", whole.replace("2025-01-01", "yesterday"), /a time in LastModified/],
  ["a version without an id", whole.replace("<VersionId>v1</VersionId>", ""), /VersionId/],
  [
    "a key of another directory",
    whole.replace("d/a", "other/a"),
    /expected keys that begin with d\//,
  ],
  [
    "keys out of order",
    listing([entry("Version", "d/b", "1", "01", true), entry("Version", "d/a", "1", "01", true)]),
    /out of order/,
  ],
  [
    "a page that goes on where it began",
    listing(
      [entry("Version", "d/b", "1", "01", true)],
      "<IsTruncated>true</IsTruncated><NextKeyMarker>d/b</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker>",
    ),
    /expected each page of the listing to go on/,
  ],
] as const)
  test(`a listing that tells ${title} is a failure, never a short list`, async (t) => {
    const { store } = await opened(t, (_, response) => send(response, 200, body));
    await assert.rejects(all(store), pattern);
  });

test("a listing that fails on a later page is a failure", async (t) => {
  const next =
    "<IsTruncated>true</IsTruncated><NextKeyMarker>d/a</NextKeyMarker><NextVersionIdMarker>v1</NextVersionIdMarker>";
  const { store } = await opened(t, ({ query }, response) =>
    query.has("key-marker")
      ? send(response, 403, fault("AccessDenied"))
      : send(response, 200, listing([entry("Version", "d/a", "v1", "01", true)], next)),
  );
  await assert.rejects(all(store), /AccessDenied/);
});

test("markers go on as the server says, keys decoded as it says", async (t) => {
  const next =
    "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>d/a%2Bb+c%0A</NextKeyMarker><NextVersionIdMarker>007</NextVersionIdMarker>";
  const { fake, store } = await opened(t, ({ query }, response) =>
    query.has("key-marker")
      ? send(response, 200, listing([entry("Version", "d/a+b c\n", "06", "01")]))
      : send(response, 200, listing([entry("Version", "d/a%2Bb+c%0A", "007", "02", true)], next)),
  );
  assert.deepEqual(await told(store), ["a+b c␊ 007 2", "a+b c␊ 06 1"]);
  assert.equal(fake.came[1]?.query.get("key-marker"), "d/a+b c\n");
  assert.equal(fake.came[1]?.query.get("version-id-marker"), "007");
  assert.equal(fake.came[0]?.query.get("encoding-type"), "url");
});

test("the order within a key: sequence, flag, time; a deletion is no older than what it deletes", async (t) => {
  const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
    // One sequence: it counts, whatever the times say.
    [
      [
        entry("Version", "d/a", "v3", "05", true),
        entry("DeleteMarker", "d/a", "m", "05"),
        entry("Version", "d/a", "v2", "05"),
        entry("DeleteMarker", "d/a", "n", "01"),
        entry("Version", "d/a", "v1", "04"),
      ],
      ["a v3 5", "a markerm 5", "a v2 5", "a markern 4", "a v1 4"],
    ],
    // Markers apart, with the time of what they cover.
    [
      [
        entry("DeleteMarker", "d/a", "m", "01"),
        entry("DeleteMarker", "d/b", "n", "02", true),
        entry("Version", "d/a", "v2", "03", true),
        entry("Version", "d/a", "v1", "01"),
        entry("Version", "d/b", "w", "02"),
      ],
      ["a v2 3", "a markerm 1", "a v1 1", "b markern 2", "b w 2"],
    ],
    // A clock that was set back: the flag tells the latest.
    [
      [
        entry("Version", "d/a", "v1", "09"),
        entry("Version", "d/a", "v2", "01", true),
        entry("DeleteMarker", "d/b", "m", "03", true),
        entry("Version", "d/b", "w", "07"),
      ],
      ["a v2 1", "a v1 9", "b markerm 7", "b w 7"],
    ],
    // Objects that stand for directories are no files.
    [[entry("Version", "d/", "x", "01", true), entry("Version", "d/e/", "x", "01", true)], []],
  ];
  const { fake, store } = await opened(t, () => {});
  for (const [entries, expected] of cases) {
    fake.answer = (_, response) => send(response, 200, listing(entries));
    assert.deepEqual(await told(store), expected);
  }
});
