// What a server may do wrong while it acts: nothing half is taken for done, and nothing secret is told.
import { test } from "node:test";
import assert from "node:assert/strict";
import { plainNames } from "../lib/crypt/plainnames.ts";
import { Failure } from "../lib/errors.ts";
import { histories } from "../lib/history/group.ts";
import { textFromRaw, type RawPath } from "../lib/units/rawpath.ts";
import { entry, fault, listing, send } from "./helpers/s3fake.ts";
import { all, raw, read } from "./helpers/storecontract.ts";
import { opened } from "./helpers/s3opened.ts";

test("credentials that ran out, a clock that is off and a wrong key are told with a hint", async (t) => {
  for (const [code, hint] of [
    ["RequestTimeTooSkewed", /clock/],
    ["InvalidAccessKeyId", /access_key_id/],
    ["ExpiredToken", /session token/],
    ["AccessDenied", /allowed/],
  ] as const) {
    const { store } = await opened(t, (_, response) =>
      send(response, 403, fault(code, "key-id secret-key")),
    );
    await assert.rejects(all(store), (error: unknown) => {
      assert.ok(error instanceof Failure);
      assert.match(error.message, new RegExp(`403 ${code}`));
      assert.match(error.hint ?? "", hint);
      return true;
    });
  }
});

const refusal = (key: string, code: string): string =>
  `<Error><Key>d/${key}&amp;</Key><Code>${code}</Code><Message>no</Message></Error>`;

test("removing many: what is refused is told of each, what is busy is asked for again", async (t) => {
  const { fake, store } = await opened(t, ({ query }, response) => {
    if (query.has("versions"))
      return send(
        response,
        200,
        listing(
          ["a", "b", "c", "e"].map((key) => entry("Version", `d/${key}&amp;`, "1", "01", true)),
        ),
      );
    const rest = fake.came.filter(({ method }) => method === "POST").length > 1;
    return send(
      response,
      200,
      rest
        ? "<DeleteResult><Deleted><Key>d/c&amp;</Key></Deleted></DeleteResult>"
        : `<DeleteResult><Deleted><Key>d/a&amp;</Key></Deleted>${refusal("b", "AccessDenied")}${refusal("c", "SlowDown")}</DeleteResult>`,
    );
  });
  const results = await store.remove(await all(store));
  assert.deepEqual(
    results.map(({ version, result }) => `${version.name} ${result}`),
    ["a& removed", "b& failed", "c& removed", "e& failed"],
  );
  const posts = fake.came.filter(({ method }) => method === "POST");
  assert.equal(posts.length, 2);
  assert.match(
    posts[1]?.body ?? "",
    /<Object><Key>d\/c&amp;<\/Key><VersionId>1<\/VersionId><\/Object><\/Delete>/,
  );
  assert.ok(posts.every(({ headers }) => headers["content-md5"] !== undefined));
});

test("a server that can't remove many is asked for one after the other", async (t) => {
  const { fake, store } = await opened(t, ({ method, query }, response) => {
    if (query.has("versions"))
      return send(response, 200, listing([entry("Version", "d/a", "v2", "02", true)]));
    if (method === "POST") return send(response, 501, fault("NotImplemented"));
    response.writeHead(204);
    return response.end();
  });
  const [version] = await all(store);
  assert.ok(version !== undefined);
  assert.equal((await store.remove([version]))[0]?.result, "removed");
  assert.equal(fake.came.at(-1)?.url, "/bucket/d/a?versionId=v2");
});

test("credentials that are refused end the removal", async (t) => {
  const { store } = await opened(t, ({ query }, response) =>
    query.has("versions")
      ? send(response, 200, listing([entry("Version", "d/a", "v", "01", true)]))
      : send(response, 403, fault("AccessDenied")),
  );
  await assert.rejects(store.remove(await all(store)), /AccessDenied/);
});

for (const [title, status, code] of [
  ["is asked too much", 200, "SlowDown"],
  ["is down", 503, "ServiceUnavailable"],
] as const)
  test(`a server that ${title} to the end ends the removal`, async (t) => {
    const keys = ["a", "b", "c\u0001"];
    const { fake, store } = await opened(t, ({ query, method }, response) => {
      if (query.has("versions"))
        return send(
          response,
          200,
          listing(
            keys.map((key) => entry("Version", encodeURIComponent(`d/${key}`), "1", "01", true)),
            "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>",
          ),
        );
      if (method === "DELETE") return send(response, 503, fault(code));
      const refused = ["a", "b"].map(
        (key) => `<Error><Key>d/${key}</Key><Code>${code}</Code></Error>`,
      );
      return status === 200
        ? send(response, 200, `<DeleteResult>${refused.join("")}</DeleteResult>`)
        : send(response, status, fault(code));
    });
    const versions = await all(store);
    fake.came.length = 0;
    await assert.rejects(store.remove(versions), new RegExp(code));
    assert.ok(fake.came.length <= 11);
    // One that can't be spoken of in XML goes by itself.
    await assert.rejects(store.remove(versions.slice(2)), new RegExp(`503 ${code}`));
  });

test("a copy in parts whose last answer was lost is done; one that is gone is not", async (t) => {
  for (const isDone of [true, false]) {
    let completed = 0;
    const { fake, store } = await opened(
      t,
      ({ query, method }, response) => {
        const versions = [
          ...(completed > 0 && isDone ? [entry("Version", "d/a", "new", "09", true)] : []),
          entry("Version", "d/a", "v2", "02", completed === 0),
          entry("Version", "d/a", "v1", "01"),
        ].map((each) => each.replace("<Size>1<", "<Size>8<"));
        if (query.has("versions")) return send(response, 200, listing(versions));
        if (method === "HEAD") return response.writeHead(200).end();
        if (query.has("uploads"))
          return send(
            response,
            200,
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
          );
        if (method === "PUT")
          return send(response, 200, "<CopyPartResult><ETag>e</ETag></CopyPartResult>");
        if (method === "DELETE") return response.writeHead(204).end();
        completed += 1;
        if (completed === 1) return response.destroy();
        return send(response, 404, fault("NoSuchUpload"));
      },
      { remote: { copy_cutoff: "5B" } },
    );
    const [, old] = await all(store);
    assert.ok(old !== undefined);
    if (isDone) await store.makeCurrent(old);
    else await assert.rejects(store.makeCurrent(old), /NoSuchUpload/);
    assert.equal(completed, 2);
    assert.equal(fake.came.filter(({ method }) => method === "DELETE").length, isDone ? 0 : 1);
  }
});

test("two keys that rclone takes for one file are two files here", async (t) => {
  const keys = ["a/./b", "a/\uff0e/b", "\u201b\u240a", "\u240a"];
  const { fake, store } = await opened(t, ({ query, method }, response) => {
    if (method === "DELETE") return response.writeHead(204).end();
    const versions = keys.filter((key) => `d/${key}`.startsWith(query.get("prefix") ?? ""));
    return send(
      response,
      200,
      listing(versions.map((key) => entry("Version", `d/${key}`, "v", "01", true))),
    );
  });
  const versions = await all(store);
  assert.deepEqual(
    versions.map(({ name }) => textFromRaw(name)),
    ["a/./b", "a/\uff0e/b", "\0\u201b\u240a", "\u201b\u240a"],
  );
  const found: string[] = [];
  const left: string[] = [];
  const onUndecodable = (name: RawPath): void => void left.push(textFromRaw(name));
  for await (const page of histories(store.versions(raw("")), plainNames, { onUndecodable }))
    found.push(...page.map(({ path, versions: { length } }) => `${textFromRaw(path)} ${length}`));
  assert.deepEqual(found, ["a/\uff0e/b 1", "\u201b\u240a 1"]);
  assert.deepEqual(left, ["a/./b", "\0\u201b\u240a"]);
  const foreign = versions[2];
  assert.ok(foreign !== undefined);
  fake.came.length = 0;
  await read(store, foreign).catch(() => {});
  assert.match(fake.came[0]?.url ?? "", /^\/bucket\/d\/%E2%80%9B%E2%90%8A\?/);
  await assert.rejects(store.hide(foreign.name), /found another's/);
});

test("content that breaks off goes on; content that differs is an error at its end", async (t) => {
  const text = "0123456789";
  const tag = '"781e5e245d69b566979b86e28d23f2c7"'; // MD5 of the text
  let content = text;
  const { fake, store } = await opened(t, ({ query, headers }, response) => {
    if (query.has("versions"))
      return send(
        response,
        200,
        listing([entry("Version", "d/a", "v", "01", true).replace("<Size>1", "<Size>10")]),
      );
    const from = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "")?.[1];
    if (from !== undefined) {
      const range = `bytes ${from}-9/10`;
      const body = content.slice(Number(from));
      return response
        .writeHead(206, { etag: tag, "content-range": range, "content-length": body.length })
        .end(body);
    }
    response.writeHead(200, { etag: tag, "content-length": "10" });
    return response.write(content.slice(0, 4), () => response.destroy());
  });
  const [version] = await all(store);
  assert.ok(version !== undefined);
  assert.equal(await read(store, version), text);
  assert.equal(fake.came.at(-1)?.headers.range, "bytes=4-9");
  assert.equal(fake.came.at(-1)?.query.get("versionId"), "v");
  content = "0123456780";
  await assert.rejects(read(store, version), /expected content of MD5 781e5e24/);
});

test("a copy that is answered with 200 and an error has failed", async (t) => {
  const { fake, store } = await opened(t, ({ query }, response) =>
    query.has("versions")
      ? send(response, 200, listing([entry("Version", "d/a b+", "v", "01", true)]))
      : send(response, 200, fault("AccessDenied")),
  );
  const [version] = await all(store);
  assert.ok(version !== undefined);
  await assert.rejects(store.makeCurrent(version), /AccessDenied/);
  assert.equal(fake.came.at(-1)?.headers["x-amz-copy-source"], "/bucket/d/a%20b%2B?versionId=v");
});

test("names that would address something else are refused before anything is asked", async (t) => {
  const { fake, store } = await opened(t, (_, response) => {
    response.writeHead(204);
    response.end();
  });
  await assert.rejects(store.hide(raw("")));
  await store.hide(raw("../bucket2/x")).catch(() => {});
  assert.ok(fake.came.every(({ url }) => url.startsWith("/bucket/d/")));
});
