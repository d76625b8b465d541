import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { B2Error } from "./errors.ts";
import type { Deed, Faults } from "./faults.ts";
import type { B2Request } from "./log.ts";
import { classOf } from "./log.ts";
import { errorReply, send } from "./reply.ts";
import type { Reply } from "./reply.ts";
import { answer, fieldsOf, nameOf, routeOf } from "./route.ts";
import type { Service } from "./service.ts";

/** The service over HTTP, not yet listening. Each call is put into `requests`. */
export function serve(service: Service, faults: Faults, requests: B2Request[]): Server {
  return createServer((request, response) => {
    handle(service, faults, requests, request, response).catch((error: unknown) => {
      // The other side went away in the middle; anything else is a mistake in this server.
      if (request.socket.destroyed) return;
      response.destroy();
      throw error;
    });
  });
}

async function handle(
  service: Service,
  faults: Faults,
  requests: B2Request[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await read(request);
  let api = "";
  let fileName: string | undefined;
  let deed: Deed | undefined;
  let billed = 0;
  let reply: Reply;
  try {
    const route = routeOf(request);
    api = route.api;
    const fields = fieldsOf(route, body);
    fileName = nameOf(route, request, fields);
    deed = faults.meet(api, fileName);
    if (deed?.kind === "expire") service.tokens.expire();
    if (deed?.kind === "status") {
      const { status, code, message = `planned: ${code}`, retryAfter } = deed;
      throw new B2Error(status, code, message, retryAfter);
    }
    if (deed?.kind === "reset" || deed?.kind === "hang") {
      requests.push({ api, class: classOf(api), billed, status: 0, fileName });
      if (deed.kind === "reset") request.socket.resetAndDestroy();
      return;
    }
    const limit = deed?.kind === "short" ? deed.entries : undefined;
    const done = answer(service, route, request, body, fields, limit);
    ({ reply, billed } = done);
  } catch (error) {
    if (!(error instanceof B2Error)) throw error;
    reply = errorReply(error);
  }
  const lost = deed?.kind === "lost";
  const status = lost ? 0 : reply.status;
  requests.push({ api, class: classOf(api), billed, status, fileName });
  if (lost) request.socket.resetAndDestroy();
  else await send(response, reply, service.clock.now(), deed, request.method === "HEAD");
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) if (Buffer.isBuffer(piece)) pieces.push(piece);
  return Buffer.concat(pieces);
}
