// The B2 server of the tests, judged by the vendor's own command line.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { startB2 } from "./helpers/b2/server.ts";
import { run } from "./helpers/command.ts";
import { makeSandbox } from "./helpers/sandbox.ts";
import { tool } from "./helpers/tools.ts";

test("the vendor's b2 authorises, uploads, hides, lists, copies, downloads and deletes", async (t) => {
  const { root, home } = await makeSandbox(t);
  // It refuses a server whose clock differs from the machine's by minutes.
  const server = await startB2(t, { now: Date.now(), recommendedPartSize: 5_000_000 });
  server.clock.run();
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    LANG: "C.UTF-8",
    B2_ENVIRONMENT: server.url,
    B2_ACCOUNT_INFO: path.join(root, "account-info"),
  };
  const program = tool("b2");
  const b2 = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(program, args, { env });
    assert.equal(code, 0, `b2 ${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  };
  const [small, large, back] = ["small", "large", "back"].map((name) => path.join(root, name));
  assert.ok(small !== undefined && large !== undefined && back !== undefined);
  await writeFile(small, "small");
  await writeFile(large, Buffer.alloc(11_000_000, 7));

  await b2("account", "authorize", server.keyId, server.key);
  assert.match(await b2("bucket", "list"), /allPrivate\s+bucket/);
  await b2("file", "upload", "--no-progress", "bucket", small, "x/ü + %.txt");
  await b2("file", "upload", "--no-progress", "bucket", large, "x/large");
  await b2("file", "hide", "b2://bucket/x/ü + %.txt");
  server.startLarge("x/unfinished", ["part"]);
  const listing = await b2("ls", "--versions", "-r", "--long", "b2://bucket");
  const columns = listing
    .trim()
    .split("\n")
    .map((line) => line.split(/\s{2,}/));
  assert.deepEqual(
    columns.map(([id, action, , , size, name]) => [id, action, Number(size), name]),
    server
      .versions()
      .map(({ fileId, action, contentLength, fileName }) => [
        fileId,
        action,
        contentLength,
        fileName,
      ]),
  );
  assert.equal((await b2("ls", "-r", "b2://bucket")).trim(), "x/large");
  assert.match(await b2("file", "large", "unfinished", "list", "b2://bucket"), /x\/unfinished/);

  const big = server.versions().find(({ fileName }) => fileName === "x/large");
  const [marker, text] = server.versions().filter(({ fileName }) => fileName.endsWith(".txt"));
  assert.deepEqual([marker?.action, text?.action], ["hide", "upload"]);
  await b2("file", "download", "--no-progress", `b2id://${text?.fileId}`, back);
  assert.equal(await readFile(back, "utf8"), "small");
  await b2("file", "download", "--no-progress", "b2://bucket/x/large", back);
  assert.deepEqual(await readFile(back), await readFile(large));
  await b2("file", "server-side-copy", `b2id://${big?.fileId}`, "b2://bucket/y/copy");
  await b2("file", "unhide", "b2://bucket/x/ü + %.txt");
  await b2("file", "download", "--no-progress", "b2://bucket/x/ü + %.txt", back);
  assert.equal(await readFile(back, "utf8"), "small");
  await b2("file", "large", "unfinished", "cancel", "b2://bucket");
  await b2("rm", "--versions", "-r", "--no-progress", "b2://bucket/x");
  assert.deepEqual(
    server.versions().map(({ fileName }) => fileName),
    ["y/copy"],
  );
  const failures = server.requests.filter(({ status }) => status >= 400);
  assert.deepEqual(failures, []);
});
