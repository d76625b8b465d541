import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

/** Digest of a listing file: two nights with the same one differ in nothing. */
export async function digestListing(file: string): Promise<string> {
  const hash = createHash("sha256");
  const chunks: AsyncIterable<Uint8Array> = createReadStream(file, { highWaterMark: 1024 * 1024 });
  for await (const chunk of chunks) {
    hash.update(chunk);
  }
  return hash.digest("hex");
}
