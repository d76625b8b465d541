import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

/** The least of an S3 that rclone can sync to: one bucket in memory, without versions. */
export interface FakeS3 {
  readonly url: string;
  /** Names of the objects, sorted. */
  stored: () => string[];
}

interface Stored {
  readonly body: Buffer;
  readonly time: string;
}

/** Serves until the test is over. A listing of versions is answered with 501. */
export async function serveS3(t: TestContext): Promise<FakeS3> {
  const objects = new Map<string, Stored>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => answer(objects, request, Buffer.concat(chunks), response));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, stored: () => [...objects.keys()].toSorted() };
}

function answer(
  objects: Map<string, Stored>,
  request: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): void {
  const url = new URL(request.url ?? "/", "http://s3");
  const key = decodeURIComponent(url.pathname).replace(/^\/bucket\/?/, "");
  const send = (status: number, text = "", headers: Record<string, string> = {}): void => {
    response.writeHead(status, { "Content-Type": "application/xml", ...headers }).end(text);
  };
  if (url.searchParams.has("versions")) return send(501);
  if (key === "") return send(200, listing(objects, url.searchParams));
  const object = objects.get(key);
  switch (request.method) {
    case "PUT": {
      const stored = { body, time: String(request.headers["x-amz-meta-mtime"] ?? "") };
      objects.set(key, stored);
      return send(200, "", { ETag: etag(stored) });
    }
    case "DELETE":
      objects.delete(key);
      return send(204);
    default:
      if (object === undefined) return send(404);
      return send(200, "", {
        "Content-Length": String(object.body.length),
        "Last-Modified": new Date().toUTCString(),
        "x-amz-meta-mtime": object.time,
        ETag: etag(object),
      });
  }
}

function listing(objects: ReadonlyMap<string, Stored>, query: URLSearchParams): string {
  const prefix = query.get("prefix") ?? "";
  const contents = [...objects]
    .filter(([key]) => key.startsWith(prefix))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([key, stored]) =>
        `<Contents><Key>${key}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>${etag(stored)}</ETag><Size>${stored.body.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
    );
  return `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>bucket</Name><Prefix>${prefix}</Prefix><IsTruncated>false</IsTruncated>${contents.join("")}</ListBucketResult>`;
}

function etag({ body }: Stored): string {
  return `"${createHash("md5").update(body).digest("hex")}"`;
}
