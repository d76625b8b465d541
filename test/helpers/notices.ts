import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { text as textOf } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { NotifySettings } from "../../lib/config/backup.ts";
import type { BoundOptions } from "../../lib/notices/bounded.ts";
import type { NoticeWorld } from "../../lib/notices/channel.ts";
import { channelsOf, sendAll } from "../../lib/notices/channels.ts";
import { groupIsAlive } from "../../lib/process/members.ts";
import type { Notice } from "../../lib/notices/notice.ts";
import { makeNotice } from "../../lib/notices/notice.ts";

/** Nothing is told to anybody. */
export const noNotify: NotifySettings = {
  mail: [],
  mailFrom: undefined,
  smtp: undefined,
  webhook: undefined,
  webhookTemplate: undefined,
  ntfy: undefined,
  ping: undefined,
  command: undefined,
  on: ["warning", "failure", "refused", "difference", "missed"],
  remindSeconds: 7 * 86_400,
};

export const noticeWorld: NoticeWorld = {
  env: { PATH: process.env["PATH"] },
  hostname: "host",
};

const noticed = new Date("2026-01-31T03:00:12.345Z");

export function sampleNotice(what = "the backup failed", text = "It failed."): Notice {
  const scene = { host: "host", at: noticed, backup: "data" };
  return makeNotice(scene, "failure", what, [text], { exit_code: 1, message: 'a "b"\n' });
}

/** Sends one notice by the only channel that is set; returns the message and hint of its failure. */
export async function sendOne(
  notify: Partial<NotifySettings>,
  options: BoundOptions & { readonly notice?: Notice; readonly world?: NoticeWorld } = {},
): Promise<{ readonly message: string; readonly hint: string | undefined } | undefined> {
  const { notice = sampleNotice(), world = noticeWorld, ...bounds } = options;
  const [channel, ...others] = channelsOf({ ...noNotify, ...notify }, world);
  assert.ok(channel !== undefined && others.length === 0);
  const [result] = await sendAll([{ channel, notices: [notice] }], bounds);
  assert.ok(result !== undefined);
  const { failure, sent } = result;
  assert.equal(sent.length, failure === undefined ? 1 : 0);
  return failure === undefined ? undefined : { message: failure.message, hint: failure.hint };
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface WebServer {
  /** HOST:PORT */
  readonly host: string;
  readonly asked: Asked[];
}

/** A server on this machine that takes down what it is asked and answers by `answer`; 200 unless given. */
export async function webServer(
  t: TestContext,
  answer: (response: ServerResponse, request: Asked) => void = (response) => response.end("ok"),
): Promise<WebServer> {
  const asked: Asked[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url = "", headers } = request;
    const each = { method, path: url, headers, body: await textOf(request) };
    asked.push(each);
    answer(response, each);
  };
  const server = createServer((request, response) => void take(request, response));
  t.after(() => server.closeAllConnections());
  return { host: await listen(t, server), asked };
}

/** A server that speaks by `speak`. */
export async function tcpServer(t: TestContext, speak: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    speak(socket);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  return listen(t, server);
}

/** HOST:PORT of a port at which nobody listens. */
export async function deadHost(t: TestContext): Promise<string> {
  const server = createTcpServer();
  const host = await listen(t, server);
  await new Promise((resolve) => server.close(resolve));
  return host;
}

async function listen(t: TestContext, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return `127.0.0.1:${address.port}`;
}

/** Resolves when nothing of a process group is alive; what was killed takes a moment to go. */
export async function groupEnded(pid: number): Promise<void> {
  for (let tries = 0; groupIsAlive(pid); tries += 1) {
    assert.ok(tries < 500, "the whole group was to be ended");
    await sleep(20);
  }
}
