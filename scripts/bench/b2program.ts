/*
 * The B2 server of the tests in a process of its own, so that nothing it does is counted as ours. What
 * it has is told as JSON in its argument; where it is, it prints. It ends with its standard input.
 */
import { once } from "node:events";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import * as v from "valibot";
import { makeClock } from "../../test/helpers/b2/clock.ts";
import type { Content } from "../../test/helpers/b2/content.ts";
import { makeFaults } from "../../test/helpers/b2/faults.ts";
import { generatedSource } from "../../test/helpers/b2/generated.ts";
import { serve } from "../../test/helpers/b2/serve.ts";
import { Service } from "../../test/helpers/b2/service.ts";
import { encryptedTree, perFile } from "./b2names.ts";
import { keepPages } from "./b2pages.ts";
import type { B2Settings } from "./b2.ts";

const settings: v.GenericSchema<unknown, B2Settings> = v.object({
  obscured: v.string(),
  directory: v.string(),
  pages: v.string(),
  versions: v.number(),
  files: v.array(v.object({ name: v.string(), file: v.string() })),
});
const { obscured, directory, pages, versions, files } = v.parse(
  settings,
  JSON.parse(process.argv[2] ?? ""),
);

const hour = 3_600_000;
const day = 24 * hour;
const piece = 256 * 1024;

/** A file of this machine, in pieces. */
function onDisk(file: string): Content {
  return {
    size: statSync(file).size,
    *read(start, end) {
      const descriptor = openSync(file, "r");
      try {
        for (let at = start; at < end;) {
          const data = Buffer.allocUnsafe(Math.min(piece, end - at));
          const length = readSync(descriptor, data, 0, data.length, at);
          if (length === 0) throw new Error(`${file}: shorter than it was`);
          yield data.subarray(0, length);
          at += length;
        }
      } finally {
        closeSync(descriptor);
      }
    },
  };
}

const now = Date.now();
const clock = makeClock(now);
clock.run();
const million = 1_000_000;
const service = new Service(clock, {
  recommendedPartSize: 100 * million,
  absoluteMinimumPartSize: 5 * million,
  largestCopy: 5000 * million,
  pageLength: Infinity,
});

const bucket = service.addBucket("files");
for (const { name, file } of files) {
  // As for every large file, the service knows no checksum of the whole. Then it was deleted.
  const content = { content: onDisk(file), sha1: "none", contentType: "application/octet-stream" };
  const fileInfo = { src_last_modified_millis: String(now - 3 * hour) };
  service.add(bucket, name, { action: "upload", ...content, fileInfo, at: now - 2 * hour });
  service.add(bucket, name, { action: "hide", at: now - hour });
}

if (versions > 0) {
  const name = encryptedTree(obscured, directory, Math.ceil(versions / perFile));
  service.addBucket("listing", (id) =>
    generatedSource(id, {
      ...{ bucket: "listing", versions, perFile, name },
      // The current one came up to 90 days ago, each other one eleven days before the next.
      time: (file, version) => now - hour - ((file * 7) % 90) * day - version * 11 * day,
      hidden: (file, version) => version === 0 && file % 20 === 0,
      // What crypt adds to content of any size: 32 bytes, and 16 for each block.
      size: (file) => 32 + 16 + 1 + (file % 60_000),
    }),
  );
}

const http = keepPages(service, pages, serve(service, makeFaults(), []));
http.listen(0, "127.0.0.1");
await once(http, "listening");
const address = http.address();
if (address === null || typeof address === "string") throw new Error("no port to listen on");
service.url = `http://127.0.0.1:${address.port}`;
const { keyId, key } = service.master;
console.log(JSON.stringify({ url: service.url, keyId, key }));

// Whoever started it may be gone without a word.
process.stdin.resume();
await once(process.stdin, "end");
http.close();
http.closeAllConnections();
