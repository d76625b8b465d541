// Notices over HTTP: what webhook, ntfy and pings ask, and servers that are slow, wrong or gone.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import { bounded } from "../lib/notices/bounded.ts";
import { cut, headerText } from "../lib/notices/ntfy.ts";
import { sendPing } from "../lib/notices/ping.ts";
import { fillTemplate } from "../lib/notices/webhook.ts";
import {
  deadHost,
  noticeWorld,
  sampleNotice,
  sendOne,
  tcpServer,
  webServer,
} from "./helpers/notices.ts";

const secret = "s3cret";
const nasty = 'data"; \\ {{text}} é 🦎 </script> \u2028';

async function file(t: TestContext, name: string, text: string): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), "rclone-backups-web-"));
  t.after(async () => rm(dir, { recursive: true }));
  await writeFile(path.join(dir, name), text);
  return path.join(dir, name);
}

test("a webhook gets the documented JSON, with the login of its URL", async (t) => {
  const { host, asked } = await webServer(t);
  const notice = sampleNotice(nasty);
  assert.equal(
    await sendOne({ webhook: `http://me:s%3Acret@${host}/hook?a=b#c` }, { notice }),
    undefined,
  );
  const [request] = asked;
  assert.ok(request !== undefined && asked.length === 1);
  assert.deepEqual([request.method, request.path], ["POST", "/hook?a=b"]);
  assert.equal(request.headers["content-type"], "application/json; charset=utf-8");
  assert.equal(
    request.headers.authorization,
    `Basic ${Buffer.from("me:s:cret").toString("base64")}`,
  );
  assert.deepEqual(JSON.parse(request.body), {
    version: 1,
    event: "failure",
    phase: "new",
    backup: "data",
    host: "host",
    at: "2026-01-31T03:00:12.345Z",
    subject: notice.subject,
    text: "It failed.\n",
    facts: { exit_code: 1, message: 'a "b"\n' },
  });
});

test("a template is filled in so that it stays JSON", async (t) => {
  const { host, asked } = await webServer(t);
  const template = await file(
    t,
    "t.json",
    '{"text": "*{{subject}}*\\n{{ text }}", "code": {{facts.exit_code}}, "m": "{{facts.message}}", "none": "{{facts.none}}{{facts.constructor}}"}',
  );
  const notice = sampleNotice(nasty);
  const webhook = await file(t, "url", `http://${host}/x\nmore`);
  assert.equal(
    await sendOne({ webhook: `file:${webhook}`, webhookTemplate: template }, { notice }),
    undefined,
  );
  assert.deepEqual(JSON.parse(asked[0]?.body ?? ""), {
    text: `*${notice.subject}*\nIt failed.\n`,
    code: 1,
    m: 'a "b"\n',
    none: "",
  });
});

test("any notice in any template of strings is JSON again", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (subject, text) => {
      const notice = { ...sampleNotice(), subject, text };
      const filled = fillTemplate('{"a": "<{{subject}}>", "b": ["{{text}}"]}', notice);
      const lone = /[\uD800-\uDFFF]/u;
      if (!lone.test(subject + text))
        assert.deepEqual(JSON.parse(filled), { a: `<${subject}>`, b: [text] });
    }),
  );
});

test("a template that is wrong is told, and nothing is sent", async (t) => {
  const { host, asked } = await webServer(t);
  const webhook = `http://${host}/`;
  const filled = async (text: string) =>
    sendOne({ webhook, webhookTemplate: await file(t, "t", text) });
  assert.deepEqual(await filled('{"a": "{{sbject}}"}'), {
    message: 'webhook_template: expected a known name between {{ and }}, found "sbject"',
    hint: "did you mean subject?",
  });
  assert.deepEqual(await filled("a={{subject}}"), {
    message: "webhook_template: expected JSON when it is filled in, found something else",
    hint: 'put names into strings: "text": "{{subject}}"',
  });
  const missing = await sendOne({ webhook, webhookTemplate: "/none/t" });
  assert.equal(
    missing?.message,
    "webhook_template: expected a file at /none/t, found it unreadable (ENOENT)",
  );
  assert.equal(asked.length, 0);
});

test("ntfy gets text, and a title that is ASCII whatever the names are", async (t) => {
  const { host, asked } = await webServer(t);
  const long = sampleNotice(`${nasty} ${"日本".repeat(60)}`, "é".repeat(3000));
  assert.equal(
    await sendOne({ ntfy: `http://:tk_s3cret@${host}/topic` }, { notice: long }),
    undefined,
  );
  assert.equal(await sendOne({ ntfy: `http://${host}/topic` }), undefined);
  const [first, second] = asked;
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(decodeWords(String(first.headers["title"])), long.subject);
  assert.equal(
    first.headers.authorization,
    `Basic ${Buffer.from(":tk_s3cret").toString("base64")}`,
  );
  assert.ok(Buffer.byteLength(first.body) < 4000 && first.body.endsWith("é\n…"));
  assert.equal(second.headers["title"], "host: data: the backup failed");
  assert.deepEqual(
    [second.headers["priority"], second.headers["tags"], second.body],
    ["4", "rotating_light", "It failed.\n"],
  );
});

/** As RFC 2047 says: white space between encoded words counts for nothing. */
function decodeWords(text: string): string {
  return text
    .replaceAll("?= =?", "?==?")
    .replaceAll(/=\?UTF-8\?B\?([^?]*)\?=/g, (_, word: string) =>
      Buffer.from(word, "base64").toString("utf8"),
    );
}

test("any title comes through a header, and a text is cut between characters", () => {
  const names = fc.string({ unit: "grapheme" });
  fc.assert(
    fc.property(names, fc.integer({ min: 10, max: 60 }), (text, bytes) => {
      const header = headerText(text);
      assert.match(header, /^[\x20-\x7E]*$/);
      for (const word of header.split(" ")) if (word.startsWith("=?")) assert.ok(word.length <= 75);
      assert.equal(decodeWords(header), text);
      const short = cut(text, bytes);
      assert.ok(Buffer.byteLength(short) <= Math.max(bytes, 0));
      assert.ok(short === text || text.startsWith(short.slice(0, -2)));
      assert.ok(!short.includes("\uFFFD"));
    }),
  );
});

test("a ping fetches the URL, its start and its failure", async (t) => {
  const { host, asked } = await webServer(t);
  const url = `http://${host}/2b3f/?a=b`;
  for (const variant of [undefined, "start", "fail"] as const)
    assert.equal(await sendPing({ what: "CANARY", url, variant }, noticeWorld), undefined);
  assert.deepEqual(
    asked.map(({ method, path: asks }) => `${method} ${asks}`),
    ["GET /2b3f/?a=b", "GET /2b3f/start?a=b", "GET /2b3f/fail?a=b"],
  );
});

test("a ping follows redirections, but not for ever, and takes no password elsewhere", async (t) => {
  const other = await webServer(t);
  const { host, asked } = await webServer(t, (response, { path: asks }) => {
    const to = asks === "/loop" ? "/loop" : `http://${other.host}/there`;
    response.writeHead(302, { location: to }).end();
  });
  assert.equal(
    await sendPing({ what: "CANARY", url: `http://u:p@${host}/a` }, noticeWorld),
    undefined,
  );
  assert.deepEqual(
    other.asked.map(({ path: asks, headers }) => [asks, headers.authorization]),
    [["/there", undefined]],
  );
  const failure = await sendPing({ what: "CANARY", url: `http://${host}/loop` }, noticeWorld);
  assert.equal(failure?.message, `CANARY at ${host}: expected a status of 200 to 299, found 302`);
  assert.equal(asked.length, 7);
  const posted = await sendOne({ webhook: `http://${host}/a` });
  assert.equal(posted?.hint, "it redirects elsewhere: write the address it leads to");
  assert.equal(other.asked.length, 1);
});

test("a server that refuses, answers 500 or 401, or cuts the line is a failure without secrets", async (t) => {
  const dead = await deadHost(t);
  const gone = await sendOne({ webhook: `http://u:${secret}@${dead}/${secret}?t=${secret}` });
  assert.deepEqual(gone, {
    message: `webhook at ${dead}: expected an answer, found ECONNREFUSED`,
    hint: "check the network and the URL",
  });
  const { host, asked } = await webServer(t, (response, { path: asks }) => {
    response.writeHead(Number(asks.slice(1, 4))).end(`${secret} is wrong`);
  });
  const said = async (status: number) => sendOne({ ntfy: `http://${host}/${status}/${secret}` });
  assert.deepEqual(await said(500), {
    message: `ntfy at ${host}: expected a status of 200 to 299, found 500`,
    hint: "the server is in trouble",
  });
  assert.equal((await said(401))?.hint, "check the password or token in the URL");
  // It is not asked again at once: that would be somebody else's timeout.
  assert.equal(asked.length, 2);
  const cutting = await tcpServer(t, (socket) => socket.once("data", () => socket.destroy()));
  const lost = await sendOne({ webhook: `http://${cutting}/${secret}` });
  assert.match(lost?.message ?? "", /^webhook at 127\.0\.0\.1:\d+: expected an answer, found \w+$/);
  const html = await tcpServer(t, (socket) => socket.end(`SSH-2.0 ${secret}\r\n`));
  assert.ok(!(await sendOne({ webhook: `http://${html}/` }))?.message.includes(secret));
});

test("a server that hangs, or answers byte by byte, is given up when the time is over", async (t) => {
  const silent = await tcpServer(t, () => {});
  const dripping = await tcpServer(t, (socket) => {
    const timer = setInterval(() => socket.write("H"), 20);
    socket.on("close", () => clearInterval(timer));
    socket.write("HTTP/1.1 200 OK\r\nX-Slow: ");
  });
  for (const host of [silent, dripping]) {
    const failure = await sendOne({ webhook: `http://${host}/${secret}` }, { timeoutMs: 300 });
    assert.equal(
      failure?.message,
      `webhook at ${host}: expected an answer within 0.3 s, found none so far`,
    );
  }
});

test("a server that has said 200 has taken the notice, however slow the rest comes", async (t) => {
  const { host } = await webServer(t, (response) => {
    response.writeHead(200, { "content-length": "1000000" });
    response.write("o");
  });
  assert.equal(await sendOne({ webhook: `http://${host}/` }), undefined);
});

test("a run that is stopped waits for no server", async (t) => {
  const host = await tcpServer(t, () => {});
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 50);
  const { signal } = controller;
  const failure = await sendOne({ webhook: `http://${host}/` }, { signal, timeoutMs: 60_000 });
  assert.equal(failure?.message, "webhook: stopped");
  assert.equal(
    (await sendOne({ webhook: `http://${host}/` }, { signal }))?.message,
    "webhook: stopped",
  );
});

test("work that heeds no signal is left behind, and what is thrown is told", async () => {
  const never = new Promise<void>(() => {});
  const hung = await bounded("x", async () => never, { timeoutMs: 1 });
  assert.equal(hung?.message, "x: expected it to be done within 0 s, found it still under way");
  const thrown = await bounded("x", async () => Promise.reject(new TypeError("bad")), {});
  assert.equal(thrown?.message, "x: bad");
});

test("notices go through the proxy that the environment names", async (t) => {
  const targets: string[] = [];
  const proxy = await tcpServer(t, (socket) => {
    socket.once("data", (head) => {
      targets.push(head.toString().split("\r\n", 1)[0] ?? "");
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.once("data", () => socket.end("HTTP/1.1 204 No Content\r\n\r\n"));
    });
  });
  const env = { ...noticeWorld.env, HTTP_PROXY: `http://${proxy}` };
  const world = { ...noticeWorld, env };
  assert.equal(await sendOne({ webhook: "http://hooks.invalid/x" }, { world }), undefined);
  assert.deepEqual(targets, ["CONNECT hooks.invalid:80 HTTP/1.1"]);
  const rude = await tcpServer(t, (socket) => socket.once("data", () => socket.destroy()));
  const rudeWorld = { ...noticeWorld, env: { HTTPS_PROXY: `http://${rude}` } };
  const lost = await sendOne({ webhook: "https://hooks.invalid/x" }, { world: rudeWorld });
  assert.equal(lost?.message, "webhook at hooks.invalid: expected an answer, found ECONNRESET");
  const wrong = { ...noticeWorld, env: { HTTP_PROXY: `http://${secret}:80:80` } };
  const failure = await sendOne({ webhook: "http://hooks.invalid/x" }, { world: wrong });
  assert.equal(
    failure?.message,
    "HTTP_PROXY: expected the address of a proxy, found something else",
  );
});

async function told(webhook: string, world = noticeWorld): Promise<string | undefined> {
  return (await sendOne({ webhook }, { world }))?.message;
}

test("a secret that can't be had, or is no URL, is a failure of its channel", async () => {
  const hanging = async () => ({ code: undefined, stdout: secret, timedOut: true });
  assert.equal(
    await told("file:/none/x"),
    'webhook: expected a file with the secret, found "/none/x" unreadable (ENOENT)',
  );
  assert.equal(
    await told("command:sleep 60", { ...noticeWorld, runCommand: hanging }),
    "webhook: expected a secret from the command within 10 s, found it still running",
  );
  assert.equal(
    await told(`command:echo ${secret}; exit 1`),
    "webhook: expected the command for the secret to succeed, found exit code 1",
  );
  assert.equal(
    await told(`command:echo ftp://${secret}`),
    "webhook: expected a URL that begins with https:// or http://, found something else",
  );
});
