import type { Pages } from "./pages.ts";

/** The lines of a stream of bytes, a chunk's worth at a time; bytes are kept as Latin-1. */
export async function* linePages(stream: AsyncIterable<Uint8Array>): Pages<string> {
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + latin1(chunk)).split("\n");
    rest = lines.pop() ?? "";
    if (lines.length > 0) yield lines;
  }
  if (rest !== "") yield [rest];
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
