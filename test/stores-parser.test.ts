// What V8 makes of undici's parser: optimizing it would take a quarter of the memory of a large restore.
import { test } from "node:test";
import assert from "node:assert/strict";
import { run } from "./helpers/command.ts";

const script = `
  const { createServer } = await import("node:http");
  const { Pool, request } = await import(${JSON.stringify(import.meta.resolve("../lib/stores/undici.ts"))});
  const server = createServer((_, response) => response.end("content"));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = "http://127.0.0.1:" + server.address().port;
  const pool = new Pool(url);
  const before = process.resourceUsage().maxRSS;
  for (let count = 0; count < 50; count += 1)
    await (await request(url, pool, { method: "GET" })).body.text();
  // What V8 does in the background.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  console.log(process.resourceUsage().maxRSS - before);
  await pool.close();
  server.close();`;

test("undici's parser is made without V8's optimizing compiler", async () => {
  const result = await run(process.execPath, [
    // As if it had worked for long.
    "--wasm-tiering-budget=1000",
    ...["--import", "tsx", "--input-type=module", "-e", script],
  ]);
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /^\d+\n$/);
  const kibibytes = Number(result.stdout);
  assert.ok(kibibytes < 20 * 1024, `${kibibytes} KiB more than before the requests`);
});
