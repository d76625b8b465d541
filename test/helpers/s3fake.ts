import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { s3Server, type S3Server, type Scope } from "./s3server.ts";

/** A request that came, its body whole. */
export interface Came {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly url: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Answering = (came: Came, response: ServerResponse) => unknown;

/** A server that answers as a test says, and remembers what it was asked. */
export interface Fake extends S3Server {
  readonly came: Came[];
  answer: Answering;
}

export async function startFake(scope: Scope, answer: Answering): Promise<Fake> {
  const came: Came[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const query = new URL(url, "http://fake").searchParams;
      const one = { method, url, query, headers, body: Buffer.concat(chunks).toString() };
      came.push(one);
      fake.answer(one, response);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  scope.after(() => {
    server.closeAllConnections();
    server.close();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port } = server.address() as AddressInfo;
  const fake: Fake = {
    ...s3Server("fake", `http://127.0.0.1:${port}`, "key-id", "secret-key"),
    came,
    answer,
  };
  return fake;
}

/** Answers with a document, whole. */
export function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/xml" }).end(body);
}

export const enabled =
  "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

export function fault(code: string, message = "no"): string {
  return `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}

/** One entry of a listing. */
export function entry(
  kind: "Version" | "DeleteMarker",
  key: string,
  id: string,
  at: string,
  latest = false,
): string {
  const size = kind === "Version" ? "<Size>1</Size>" : "";
  return `<${kind}><Key>${key}</Key><VersionId>${id}</VersionId><IsLatest>${latest}</IsLatest><LastModified>2025-01-01T00:00:${at}Z</LastModified>${size}</${kind}>`;
}

/** A listing of these entries. */
export function listing(
  entries: readonly string[],
  more = "<IsTruncated>false</IsTruncated>",
): string {
  return `<?xml version="1.0"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${more}${entries.join("")}</ListVersionsResult>`;
}
