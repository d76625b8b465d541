import { AwsV4Signer } from "aws4fetch";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { start, type Live } from "./command.ts";

/** Something that a server is stopped after: a test, or the file's `after` of node:test. */
export interface Scope {
  after(action: () => unknown): void;
}

/** A real S3 server on this machine. */
export interface S3Server {
  readonly title: string;
  readonly url: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The options of an rclone remote for it. */
  readonly options: ReadonlyMap<string, string>;
}

/** Starts a server and waits until it says that it listens. */
export async function startServer(
  scope: Scope,
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  listening: RegExp,
): Promise<RegExpExecArray> {
  // It ends with this process, however this ends.
  const live: Live = start("setpriv", ["--pdeathsig", "KILL", "--", file, ...args], {
    env,
    timeout: 3_600_000,
  });
  scope.after(async () => {
    live.killGroup("SIGKILL");
    await live.done.catch(() => {});
  });
  return live.waitFor(listening);
}

/** The description of a server that stands at a URL. */
export function s3Server(
  title: string,
  url: string,
  accessKeyId: string,
  secretAccessKey: string,
): S3Server {
  return {
    title,
    url,
    accessKeyId,
    secretAccessKey,
    options: new Map([
      ["type", "s3"],
      ["provider", "Other"],
      ["endpoint", url],
      ["access_key_id", accessKeyId],
      ["secret_access_key", secretAccessKey],
    ]),
  };
}

interface Asked {
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** One signed request by the library alone; throws unless it succeeds. The path begins with the bucket. */
export async function ask(
  server: S3Server,
  method: string,
  path: string,
  { query = {}, headers = {}, body }: Asked = {},
): Promise<string> {
  const url = new URL(path.split("/").map(encodeURIComponent).join("/"), server.url);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const signed = await new AwsV4Signer({
    method,
    url: url.href,
    headers: { ...headers },
    ...(body === undefined ? {} : { body: new Uint8Array(Buffer.from(body)) }),
    accessKeyId: server.accessKeyId,
    secretAccessKey: server.secretAccessKey,
    service: "s3",
    region: "us-east-1",
  }).sign();
  const answer = await fetch(signed.url, {
    method,
    headers: signed.headers,
    ...(body === undefined ? {} : { body: new Uint8Array(Buffer.from(body)) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text;
}

/** Makes a bucket; its versioning is left alone unless a status is given. */
export async function makeBucket(
  server: S3Server,
  bucket: string,
  versioning?: "Enabled" | "Suspended",
): Promise<void> {
  await ask(server, "PUT", bucket);
  if (versioning !== undefined) await setVersioning(server, bucket, versioning);
}

export async function setVersioning(
  server: S3Server,
  bucket: string,
  status: "Enabled" | "Suspended",
): Promise<void> {
  const body = `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>${status}</Status></VersioningConfiguration>`;
  await ask(server, "PUT", bucket, { query: { versioning: "" }, body });
}

/** Stores an object as rclone does, its time (milliseconds since 1970) as metadata. */
export async function putObject(
  server: S3Server,
  path: string,
  body: string | Buffer,
  modifiedAt = 0,
): Promise<void> {
  const headers = { "x-amz-meta-mtime": (modifiedAt / 1000).toFixed(9) };
  await ask(server, "PUT", path, { headers, body });
}

/** A port that was free a moment ago, for a server that can't choose one. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until a server on this machine takes connections; throws after ten seconds. */
export async function untilReachable(port: number): Promise<void> {
  for (let tries = 1; ; tries++) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch (error) {
      if (tries === 200) throw error;
      await sleep(50);
    } finally {
      socket.destroy();
    }
  }
}
