// A server that does not answer as Backblaze does: nothing is concluded from what it says.
import { test, type TestContext } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { isFields, type Fields } from "../lib/stores/b2/answers.ts";
import { openB2 } from "../lib/stores/b2/open.ts";
import type { Store } from "../lib/stores/store.ts";
import { all, raw } from "./helpers/storecontract.ts";

type Answers = (operation: string, body: Fields, version: string, url: string) => unknown;

const capabilities = ["listFiles", "listBuckets", "deleteFiles", "readFiles", "writeFiles"];

/** The answer to an authorisation in version 2. */
function authorization(url: string): Record<string, unknown> {
  return {
    accountId: "account",
    authorizationToken: "token",
    apiUrl: url,
    downloadUrl: url,
    recommendedPartSize: 100_000_000,
    absoluteMinimumPartSize: 5_000_000,
    allowed: { capabilities, bucketId: "id", bucketName: "bucket", namePrefix: null },
  };
}

/** A store on a server that answers as told; `undefined` is a 404, text is sent as it is. */
async function against(t: TestContext, answers: Answers, path = "bucket"): Promise<Store> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const [, , version = "", operation = ""] = (request.url ?? "").split("/");
      const text = Buffer.concat(chunks).toString();
      const parsed: unknown = text === "" ? {} : JSON.parse(text);
      const body = isFields(parsed) ? parsed : {};
      const answer =
        answers(operation, body, version, url()) ?? standard(operation, version, url());
      response.writeHead(answer === undefined ? 404 : 200);
      response.end(typeof answer === "string" ? answer : JSON.stringify(answer ?? {}));
    });
  });
  const url = (): string => {
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    return `http://127.0.0.1:${address.port}`;
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const store = await openB2({
    options: new Map(Object.entries({ account: "k", key: "secret", endpoint: url() })),
    path: raw(path),
    world: { env: {}, now: () => new Date(), random: () => 0, sleep: async () => {} },
  });
  t.after(() => store.close());
  return store;
}

function standard(operation: string, version: string, url: string): unknown {
  return operation === "b2_authorize_account" && version === "v2" ? authorization(url) : undefined;
}

interface File {
  [field: string]: unknown;
}

function upload(fileName: string, more: File = {}): File {
  return {
    action: "upload",
    fileName,
    fileId: `4_${fileName}`,
    contentLength: 1,
    uploadTimestamp: 5,
    fileInfo: {},
    ...more,
  };
}

const end = { nextFileName: null, nextFileId: null };

/** Pages of a listing, the first without a start, the others by the name they start at. */
function pages(first: unknown, others: Record<string, unknown> = {}): Answers {
  return (operation, body) => {
    if (operation !== "b2_list_file_versions") return undefined;
    const { startFileName } = body;
    return typeof startFileName === "string" ? others[startFileName] : first;
  };
}

test("version 2 of the API is understood where 4 is not", async (t) => {
  const versions: string[] = [];
  const store = await against(t, (operation, _, version) => {
    versions.push(`${operation} ${version}`);
    return operation === "b2_list_file_versions" ? { files: [upload("a")], ...end } : undefined;
  });
  assert.equal((await all(store)).length, 1);
  assert.deepEqual(versions, [
    "b2_authorize_account v4",
    "b2_authorize_account v2",
    "b2_list_file_versions v2",
  ]);
});

for (const [what, storageApi] of Object.entries({
  "version 3": { capabilities, bucketId: "id", bucketName: "bucket", namePrefix: null },
  "version 4": {
    allowed: {
      capabilities,
      buckets: [
        { id: "other", name: "another" },
        { id: "id", name: "bucket" },
      ],
      namePrefix: null,
    },
  },
})) {
  test(`an authorisation in the shape of ${what} is understood`, async (t) => {
    const asked: unknown[] = [];
    const store = await against(t, (operation, body, version, url) => {
      if (operation === "b2_authorize_account") {
        const { allowed: _, accountId, authorizationToken, ...rest } = authorization(url);
        return {
          accountId,
          authorizationToken,
          apiInfo: { storageApi: { ...rest, ...storageApi } },
        };
      }
      asked.push(operation, body["bucketId"], version);
      return { files: [], ...end };
    });
    assert.deepEqual(await all(store), []);
    assert.deepEqual(asked, ["b2_list_file_versions", "id", "v4"]);
  });
}

const malformed: Readonly<Record<string, readonly [unknown, RegExp]>> = {
  "no files": [end, /expected a list in files, found nothing/],
  "files that are no list": [{ files: {}, ...end }, /expected a list in files/],
  "a file that is no object": [{ files: ["a"], ...end }, /expected objects in files/],
  "no next name": [{ files: [], nextFileId: null }, /text or null in nextFileName, found nothing/],
  "a next name without an id": [
    { files: [], nextFileName: "b", nextFileId: null },
    /expected text in nextFileId/,
  ],
  "a file without a name": [
    { files: [upload("a", { fileName: undefined })], ...end },
    /expected text in fileName/,
  ],
  "an empty name": [{ files: [upload("")], ...end }, /expected text in fileName/],
  "a file without an id": [{ files: [upload("a", { fileId: "" })], ...end }, /text in fileId/],
  "a time that is text": [
    { files: [upload("a", { uploadTimestamp: "5" })], ...end },
    /expected a whole number in uploadTimestamp, found a value of type string/,
  ],
  "a size below 0": [
    { files: [upload("a", { contentLength: -1 })], ...end },
    /expected a whole number in contentLength, found -1/,
  ],
  "no size": [
    { files: [upload("a", { contentLength: undefined })], ...end },
    /expected a whole number in contentLength, found nothing/,
  ],
  "an unknown action": [
    { files: [upload("a", { action: "folder" })], ...end },
    /expected the action upload, hide or start/,
  ],
  "names out of order": [{ files: [upload("b"), upload("a")], ...end }, /found a out of order/],
  "an older version first": [
    { files: [upload("a"), upload("a", { fileId: "4_2", uploadTimestamp: 6 })], ...end },
    /newest first, found a out of order/,
  ],
  "a list instead of an object": [[], /expected a JSON object, found a list/],
  "half a document": ['{"files":[', /expected a JSON object, found nothing/],
  "no JSON": ["<html>hello</html>", /expected a JSON object, found nothing/],
};

for (const [what, [answer, message]] of Object.entries(malformed)) {
  test(`a page with ${what} is a failure`, async (t) => {
    const store = await against(t, pages(answer));
    await assert.rejects(all(store), message);
    await assert.rejects(store.versionsOf(raw("a")), /expected/);
  });
}

test("names beside the prefix are a failure", async (t) => {
  const store = await against(t, pages({ files: [upload("dir.x")], ...end }), "bucket/dir");
  await assert.rejects(all(store), /expected names that begin with dir\/, found dir\.x/);
});

const next = (name: string): File => ({ nextFileName: name, nextFileId: `4_${name}` });

test("a listing that stands still or goes back is a failure", async (t) => {
  const still = await against(
    t,
    pages({ files: [upload("a")], ...next("b") }, { b: { files: [], ...next("b") } }),
  );
  await assert.rejects(all(still), /expected each page of the listing to go on/);
  const back = await against(t, pages({ files: [upload("b")], ...next("a") }));
  await assert.rejects(all(back), /expected each page of the listing to go on|404/);
  const again = await against(
    t,
    pages(
      { files: [upload("a"), upload("b")], ...next("c") },
      { c: { files: [upload("a")], ...end } },
    ),
  );
  await assert.rejects(all(again), /found a out of order/);
});

test("names are in order by their bytes, not by UTF-16", async (t) => {
  const names = ["a\uFF5E", "a\u{1F600}"];
  const store = await against(t, pages({ files: names.map((name) => upload(name)), ...end }));
  assert.equal((await all(store)).length, 2);
  const turned = await against(
    t,
    pages({ files: names.toReversed().map((name) => upload(name)), ...end }),
  );
  await assert.rejects(all(turned), /out of order/);
});
