import { createServer, connect, type Socket } from "node:net";
import { BSON, type Document } from "mongodb";
import type { Scope } from "./s3server.ts";

/*
 * Stands between a client and a server that speak MongoDB's protocol (OP_MSG), and makes up for what the
 * server of the tests accepts and forgets: options of collections, views, and other kinds.
 */
export interface MongoProxy {
  /** In the place of HOST:PORT. */
  readonly host: string;
  /** What `hello` answers besides. */
  readonly hello: Map<string, unknown>;
  /** Names of commands that fail, with the message that they fail with. */
  readonly failing: Map<string, string>;
  /** What is answered to commands of these names instead of the server; undefined: it is asked. */
  readonly answers: Map<string, (command: Document) => unknown>;
  /** Commands that were seen. */
  readonly seen: Document[];
  /** Ends every connection instead of the answer to the n-th getMore from now on. */
  breakAt(getMore: number): void;
}

interface Kept {
  readonly type: string;
  readonly options: Document;
}

const opMsg = 2013;
const own = new Set(["create", "$db", "lsid", "$clusterTime", "writeConcern", "apiVersion"]);

/** Starts a proxy for the server of a connection string, until the scope ends. */
export async function startProxy(scope: Scope, uri: string): Promise<MongoProxy> {
  const [, host = "", port = ""] =
    /@?([\w.]+):(\d+)\/?/.exec(uri.replace(/^.*@|^.*:\/\//, "")) ?? [];
  const hello = new Map<string, unknown>();
  const failing = new Map<string, string>();
  const answers = new Map<string, (command: Document) => unknown>();
  const seen: Document[] = [];
  const kept = new Map<string, Kept>();
  const sockets = new Set<Socket>();
  let untilBreak = Number.POSITIVE_INFINITY;

  /** What goes on to the server for a command; an answer where it isn't asked. */
  const onCommand = async (body: Document): Promise<{ body: Document; answer?: Document }> => {
    const [name = ""] = Object.keys(body);
    if (seen.length < 10_000) seen.push(body);
    const message = failing.get(name);
    if (message !== undefined)
      return { body, answer: { ok: 0, errmsg: message, code: 13, codeName: "Unauthorized" } };
    const given = await answers.get(name)?.(body);
    if (isDocument(given)) return { body, answer: given };
    if (name !== "create") return { body };
    const entries = Object.entries(body);
    const options = Object.fromEntries(entries.filter(([key]) => !own.has(key)));
    const type =
      "viewOn" in options ? "view" : "timeseries" in options ? "timeseries" : "collection";
    kept.set(`${String(body["$db"])}.${String(body["create"])}`, { type, options });
    return { body: Object.fromEntries(entries.filter(([key]) => own.has(key))) };
  };

  const onAnswer = (command: Document, answer: Document): Document => {
    const [name] = Object.keys(command);
    if (name === "hello") return { ...answer, ...Object.fromEntries(hello) };
    if (name !== "listCollections" || !isDocument(answer["cursor"])) return answer;
    const { cursor } = answer;
    const batch: unknown = cursor["firstBatch"];
    if (!Array.isArray(batch)) return answer;
    cursor["firstBatch"] = batch.filter(isDocument).map((entry) => {
      const found = kept.get(`${String(command["$db"])}.${String(entry["name"])}`);
      return found === undefined ? entry : { ...entry, ...found };
    });
    return answer;
  };

  const listener = createServer((client) => {
    const server = connect(Number(port), host);
    const asked = new Map<number, Document>();
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    onMessages(client, (message) => {
      const body = bodyOf(message);
      if (body === undefined) return void server.write(message);
      void onCommand(body).then(({ body: changed, answer }) => {
        if (answer !== undefined) return void client.write(withBody(message, answer, true));
        asked.set(message.readInt32LE(4), body);
        return void server.write(changed === body ? message : withBody(message, changed));
      });
    });
    onMessages(server, (message) => {
      const command = asked.get(message.readInt32LE(8));
      asked.delete(message.readInt32LE(8));
      const body = command === undefined ? undefined : bodyOf(message);
      if (command === undefined || body === undefined) return void client.write(message);
      if ("getMore" in command && --untilBreak <= 0) {
        untilBreak = Number.POSITIVE_INFINITY;
        for (const socket of sockets) socket.destroy();
        return;
      }
      const changed = onAnswer(command, body);
      const [name = ""] = Object.keys(command);
      client.write(
        ["hello", "listCollections"].includes(name) ? withBody(message, changed) : message,
      );
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  scope.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => listener.close(resolve));
  });
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("expected a port");
  return {
    host: `127.0.0.1:${address.port}`,
    hello,
    failing,
    answers,
    seen,
    breakAt: (getMore) => (untilBreak = getMore),
  };
}

function isDocument(value: unknown): value is Document {
  return typeof value === "object" && value !== null;
}

function onMessages(socket: Socket, take: (message: Buffer) => void): void {
  let waiting = Buffer.alloc(0);
  socket.on("data", (data: Buffer) => {
    waiting = Buffer.concat([waiting, data]);
    while (waiting.length >= 4 && waiting.length >= waiting.readInt32LE(0)) {
      const length = waiting.readInt32LE(0);
      take(waiting.subarray(0, length));
      waiting = waiting.subarray(length);
    }
  });
}

const asTheyAre = { promoteValues: false, bsonRegExp: true } as const;

/** The command or answer in a message; undefined for another kind of message. */
function bodyOf(message: Buffer): Document | undefined {
  if (message.readInt32LE(12) !== opMsg || message[20] !== 0) return undefined;
  const length = message.readInt32LE(21);
  return BSON.deserialize(message.subarray(21, 21 + length), asTheyAre);
}

/** The message with another body; as an answer to it, where that is what the body is. */
function withBody(message: Buffer, body: Document, isAnswer = false): Buffer {
  const old = message.readInt32LE(21);
  const rest = isAnswer ? Buffer.alloc(0) : message.subarray(21 + old);
  const changed = Buffer.concat([message.subarray(0, 21), BSON.serialize(body), rest]);
  changed.writeInt32LE(changed.length, 0);
  if (isAnswer) {
    message.copy(changed, 8, 4, 8);
    changed.writeUInt32LE(0, 16);
  }
  return changed;
}
