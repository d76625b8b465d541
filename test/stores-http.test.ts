// What every store over HTTP relies on: faults that pass are waited out, faults that don't are told.
import { test } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { Failure } from "../lib/errors.ts";
import { backOff, retryAfter } from "../lib/stores/retry.ts";
import { client, get, listening, portOf, serve } from "./helpers/httpworld.ts";

test("back-off doubles from 1 s to 10 s, spread by chance", () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 9].map((attempt) => backOff(attempt, () => 0.5)),
    [1000, 2000, 4000, 8000, 10_000, 10_000],
  );
  assert.equal(
    backOff(0, () => 0),
    1000,
  );
  assert.equal(
    backOff(1, () => 0),
    1500,
  );
  assert.equal(
    backOff(1, () => 0.999),
    2499,
  );
});

const local = (): Date => new Date("2026-01-01T00:00:00Z");

test("Retry-After in seconds, and as a date by the server's own clock", () => {
  const server = new Date("2030-01-01T00:00:00Z");
  assert.equal(retryAfter("7", server, local), 7000);
  assert.equal(retryAfter("Tue, 01 Jan 2030 00:00:09 GMT", server, local), 9000);
  assert.equal(retryAfter("Thu, 01 Jan 2026 00:00:03 GMT", undefined, local), 3000);
  assert.equal(retryAfter("Thu, 01 Jan 2026 00:00:03 GMT", server, local), 0);
  assert.equal(retryAfter("soon", server, local), undefined);
  assert.equal(retryAfter(undefined, server, local), undefined);
});

for (const status of [408, 429, 500, 502, 503, 504]) {
  test(`${status} is asked again`, async (t) => {
    const url = await serve(t, (_, response, count) => {
      response.writeHead(count < 3 ? status : 200).end("fine");
    });
    const { http, waits } = client(t);
    const answer = await http.request(get(url));
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), "fine");
    assert.deepEqual(waits, [1000, 2000]);
  });
}

for (const status of [301, 302, 400, 401, 403, 404, 416, 501]) {
  test(`${status} is an answer, and no redirect is followed`, async (t) => {
    let asked = 0;
    const url = await serve(t, (_, response, count) => {
      asked = count;
      response.writeHead(status, { location: "/elsewhere" }).end("no");
    });
    const { http, waits } = client(t);
    assert.equal((await http.request(get(url))).status, status);
    assert.equal(asked, 1);
    assert.deepEqual(waits, []);
  });
}

test("ten retries, then the last answer counts", async (t) => {
  let asked = 0;
  const url = await serve(t, (_, response, count) => {
    asked = count;
    response.writeHead(503).end(String(count));
  });
  const { http, waits } = client(t);
  const answer = await http.request(get(url));
  assert.equal(answer.status, 503);
  assert.equal(asked, 11);
  assert.equal(waits.length, 10);
});

test("Retry-After is honoured up to five minutes, and told after that", async (t) => {
  const url = await serve(t, (_, response, count) => {
    response.writeHead(count > 1 ? 200 : 429, { "retry-after": "23" }).end();
  });
  const patient = client(t);
  assert.equal((await patient.http.request(get(url))).status, 200);
  assert.deepEqual(patient.waits, [23_000]);
  const long = await serve(t, (_, response) => {
    response.writeHead(429, { "retry-after": "3600" }).end();
  });
  const { http, waits } = client(t);
  assert.equal((await http.request(get(long))).status, 429);
  assert.deepEqual(waits, []);
});

test("a connection that is reset is tried again, a request made anew each time", async (t) => {
  const bodies: string[] = [];
  const url = await serve(t, (request, response, count) => {
    request.on("data", (chunk: Buffer) => bodies.push(chunk.toString()));
    request.on("end", () => {
      if (count < 3) request.socket.resetAndDestroy();
      else response.end("fine");
    });
  });
  const { http, waits } = client(t);
  let made = 0;
  const answer = await http.request(() => {
    made += 1;
    return { method: "POST", url, body: `attempt ${made}` };
  });
  assert.equal(answer.body.toString(), "fine");
  assert.deepEqual(bodies, ["attempt 1", "attempt 2", "attempt 3"]);
  assert.equal(waits.length, 2);
});

test("a body shorter than its content-length is no answer", async (t) => {
  const url = await serve(t, (_, response, count) => {
    if (count > 2) response.end("whole");
    else {
      response.writeHead(200, { "content-length": "5" });
      response.write("who");
      setImmediate(() => response.socket?.destroy());
    }
  });
  const { http, waits } = client(t);
  assert.equal((await http.request(get(url))).body.toString(), "whole");
  assert.equal(waits.length, 2);
});

test("a chunked body that breaks off is no answer", async (t) => {
  const url = await serve(t, (_, response, count) => {
    response.write("who");
    if (count > 1) response.end("le");
    else setImmediate(() => response.socket?.destroy());
  });
  const { http } = client(t);
  assert.equal((await http.request(get(url))).body.toString(), "whole");
});

test("headers that don't come, and a body that stands still, are given up", async (t) => {
  const url = await serve(t, (_, response, count) => {
    if (count === 1) return;
    if (count === 2) response.writeHead(200, { "content-length": "5" }).write("who");
    else response.end("whole");
  });
  const { http, waits } = client(t, { headersTimeout: 100, bodyTimeout: 100 });
  assert.equal((await http.request(get(url))).body.toString(), "whole");
  assert.equal(waits.length, 2);
});

test("a slow body that moves is waited for", async (t) => {
  const url = await serve(t, (_, response) => {
    let sent = 0;
    const timer = setInterval(() => {
      sent += 1;
      response.write("x");
      if (sent < 12) return;
      clearInterval(timer);
      response.end();
    }, 50);
  });
  const { http, waits } = client(t, { headersTimeout: 300, bodyTimeout: 300 });
  assert.equal((await http.request(get(url))).body.toString(), "x".repeat(12));
  assert.deepEqual(waits, []);
});

test("no server: told after ten retries, without what was sent", async (t) => {
  const closed = createTcpServer();
  await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
  const port = portOf(closed);
  await new Promise((resolve) => closed.close(resolve));
  const { http, waits } = client(t);
  const secret = "K005topsecret";
  const asked = http.request(() => ({
    method: "POST",
    url: `http://127.0.0.1:${port}/?token=${secret}`,
    headers: { authorization: secret },
    body: secret,
  }));
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof Failure);
    assert.equal(error.message, "the test server: expected an answer, found ECONNREFUSED");
    assert.ok(!JSON.stringify([error, error.cause, String(error.cause)]).includes(secret));
    return true;
  });
  assert.equal(waits.length, 10);
});

test("an unknown host is told at once, for it may be a mistake", async (t) => {
  const { http, waits } = client(t);
  await assert.rejects(http.request(get("http://no-such-host.invalid/")), /ENOTFOUND|EAI_AGAIN/);
  assert.ok(waits.length === 0 || waits.length === 10);
});

test("aborting ends a request, and a wait between two", async (t) => {
  const reason = new Error("stop now");
  const stop = new AbortController();
  const url = await serve(t, () => stop.abort(reason));
  const { http } = client(t);
  await assert.rejects(http.request(get(url), { signal: stop.signal }), reason);
  const busy = await serve(t, (_, response) => response.writeHead(503).end());
  const between = new AbortController();
  const asked = http.request(get(busy), {
    signal: between.signal,
    onBusy: () => between.abort(reason),
  });
  await assert.rejects(asked, reason);
});

test("the Date of the last answer is kept", async (t) => {
  const url = await serve(t, (_, response, count) => {
    response.setHeader("date", `Thu, 0${count} Jan 2026 00:00:00 GMT`);
    response.end();
  });
  const { http } = client(t);
  const dates = [http.serverDate];
  for (const _ of [1, 2]) {
    await http.request(get(url));
    dates.push(http.serverDate);
  }
  assert.deepEqual(dates, [undefined, new Date("2026-01-01"), new Date("2026-01-02")]);
});

test("a proxy from the environment is asked, and never for this machine", async (t) => {
  const direct = await serve(t, (_, response) => response.end("direct"));
  const targets: string[] = [];
  const server = createServer();
  server.on("connect", (request, socket) => {
    targets.push(request.url ?? "");
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  const proxy = `127.0.0.1:${await listening(t, server)}`;
  const { http } = client(t, {}, { http_proxy: proxy, HTTPS_PROXY: `http://u:secret@${proxy}` });
  assert.equal((await http.request(get(direct))).body.toString(), "direct");
  await assert.rejects(http.request(get("https://api.b2.invalid/")), (error) => {
    assert.ok(error instanceof Failure);
    assert.ok(!`${error.message} ${String(error.cause)}`.includes("secret"));
    return true;
  });
  assert.ok(targets.length > 0 && targets.every((target) => target === "api.b2.invalid:443"));
});

test("a proxy that is no address is a usage failure that does not show it", async (t) => {
  const { http } = client(t, {}, { https_proxy: "http://user:hunter2@:-1" });
  await assert.rejects(http.request(get("https://b2.invalid/")), (error) => {
    assert.ok(error instanceof Failure && error.outcome === "usage");
    assert.match(error.message, /^HTTPS_PROXY: /);
    assert.ok(!String(error.cause).includes("hunter2"));
    return true;
  });
});
