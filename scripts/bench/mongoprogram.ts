/* What mongo-export and mongo-import are measured against; run as MODE URI [COUNT | DIRECTORY PACK]. */
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { MongoClient } from "mongodb";
import { idOf, int32At } from "../../lib/documents/bson.ts";
import { documentPath } from "../../lib/documents/place.ts";
import { rawBytes } from "../../lib/documents/server.ts";

const [mode = "", uri = "", third = "", fourth = ""] = process.argv.slice(2);
const batch = 5000;

switch (mode) {
  case "insert":
    await withDocuments(async (client) => insert(client, Number(third)));
    break;
  case "drain":
    await withDocuments(async (client) => console.log(await drain(client)));
    break;
  case "pack":
    await withDocuments(async (client) => pack(client, third));
    break;
  case "drop":
    await withDocuments(async (client) => void (await client.db(third).dropDatabase()));
    break;
  case "write":
    writeAll(third, fourth);
    break;
  default:
    throw new Error(`expected a mode, found ${mode}`);
}

async function withDocuments(action: (client: MongoClient) => Promise<void>): Promise<void> {
  const client = new MongoClient(uri);
  try {
    await action(client);
  } finally {
    await client.close();
  }
}

/** Small documents, in batches. */
async function insert(client: MongoClient, count: number): Promise<void> {
  const documents = client.db("bench").collection("documents");
  for (let from = 0; from < count; from += batch) {
    const page = Array.from({ length: Math.min(batch, count - from) }, (_, at) => ({
      name: `user ${from + at}`,
      mail: `user${from + at}@example.org`,
      number: from + at,
      tags: ["a", "b"],
      at: new Date(1.7e12 + from + at),
    }));
    await documents.insertMany(page, { ordered: false });
  }
}

/** The same raw cursor as that of mongo-export, as the driver gives its documents, and nothing done with them. */
async function drain(client: MongoClient): Promise<number> {
  const cursor = open(client);
  let count = 0;
  while (await cursor.hasNext()) count += cursor.readBufferedDocuments().length;
  return count;
}

function open(client: MongoClient) {
  return client.db("bench").collection("documents").find({}, { raw: true, batchSize: 1000 });
}

/** All documents one after another in a file. */
async function pack(client: MongoClient, file: string): Promise<void> {
  const cursor = open(client);
  const parts: Buffer[] = [];
  while (await cursor.hasNext())
    parts.push(...cursor.readBufferedDocuments().map((each) => Buffer.from(rawBytes(each))));
  await writeFile(file, Buffer.concat(parts));
}

/** The files that mongo-export writes, bare: made and written under their names. */
function writeAll(directory: string, file: string): void {
  const documents = readFileSync(file);
  const made = new Set<string>();
  for (let at = 0; at < documents.length;) {
    const bytes = documents.subarray(at, at + int32At(documents, at));
    at += bytes.length;
    const id = idOf(bytes);
    if (id === undefined) throw new Error("expected an id");
    const name = path.join(directory, documentPath(id));
    const folder = path.dirname(name);
    if (!made.has(folder)) mkdirSync(folder, { recursive: true });
    made.add(folder);
    const descriptor = openSync(name, "w", 0o600);
    writeSync(descriptor, bytes);
    closeSync(descriptor);
  }
}
