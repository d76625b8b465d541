import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import path from "node:path";
import * as v from "valibot";
import { answer, fieldsOf, routeOf } from "../../test/helpers/b2/route.ts";
import type { Service } from "../../test/helpers/b2/service.ts";

/** What lists versions and unfinished uploads: the second looks through all of the first. */
const operations = /\/b2_list_(?:file_versions|unfinished_large_files)$/;
const listing = v.object({ files: v.array(v.unknown()) });

/**
 * A server before the service's own that keeps each page of a listing in a file once it was made, and
 * sends it as it is from then on: making one costs more than reading it does, and would be what is
 * measured. `GET /served` tells how many versions were sent since it was asked last, and
 * how many were asked for at once when a page was last made.
 */
export function keepPages(service: Service, directory: string, others: Server): Server {
  const kept = new Map<string, { readonly file: string; readonly versions: number }>();
  let versions = 0;
  let atOnce = 0;

  async function page(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) if (Buffer.isBuffer(piece)) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const route = routeOf(request);
    const hash = createHash("sha256").update(`${request.url} `).update(body).digest("hex");
    const known = kept.get(hash);
    if (known !== undefined) {
      versions += known.versions;
      return send(response, await readFile(known.file));
    }
    const fields = fieldsOf(route, body);
    if (route.api === "b2_list_file_versions") atOnce = Number(fields["maxFileCount"]);
    const { reply } = answer(service, route, request, body, fields, undefined);
    const text = Buffer.concat([...reply.content.read(reply.start, reply.end)]);
    const { files } = v.parse(listing, JSON.parse(text.toString()));
    const file = path.join(directory, hash);
    await writeFile(file, text);
    kept.set(hash, { file, versions: files.length });
    versions += files.length;
    return send(response, text);
  }

  return createServer((request, response) => {
    if (request.url === "/served") {
      send(response, Buffer.from(JSON.stringify({ versions, atOnce })));
      versions = 0;
    } else if (operations.test(request.url ?? ""))
      page(request, response).catch((error: unknown) => {
        console.error(error);
        response.destroy();
      });
    else others.emit("request", request, response);
  });
}

function send(response: ServerResponse, body: Buffer): void {
  const headers = { "content-type": "application/json", "content-length": body.length };
  response.writeHead(200, headers).end(body);
}
