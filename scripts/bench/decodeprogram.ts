/*
 * Decrypts as many path segments as it is told to, a page at a time, and prints how many it were and
 * the seconds of processor time that took. All are names of files, none of which is decrypted twice in a round: names of
 * directories, which come again and again in a listing, would be looked up.
 */
import { cryptNames } from "../../lib/crypt/cryptnames.ts";
import { rawFromBytes, type RawPath } from "../../lib/units/rawpath.ts";

const segments = Number(process.argv[2]);
const perRound = Math.min(segments, 100_000);
/** Names in a page of a listing. */
const perPage = 4000;

const fill = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const keys = { data: fill(32, 1), name: fill(32, 2), tweak: fill(16, 3) };
const names = cryptNames(new Map(), keys);

/** From 8 to 47 bytes: one to three blocks of the cipher, two of them on average. */
function plainName(at: number): string {
  return `${String(at).padStart(7, "0")}${"-some-longer-name-of-a-file-somewhere.jpg".slice(0, 1 + (at % 40))}`;
}

const plain = Array.from({ length: perRound }, (_, at) => plainName(at));
const stored = plain.map((name) => names.encode(rawFromBytes(name), "file"));
const pages: RawPath[][] = [];
for (let at = 0; at < perRound; at += perPage) pages.push(stored.slice(at, at + perPage));

let wrong = 0;
let done = 0;
const before = process.cpuUsage();
while (done < segments) {
  for (const page of pages) {
    for (const name of names.decode(page)) if (name === undefined) wrong += 1;
    done += page.length;
  }
}
const { user, system } = process.cpuUsage(before);

for (const [at, name] of names.decode(stored).entries()) if (name !== plain[at]) wrong += 1;
console.log(JSON.stringify({ done, wrong, processor: (user + system) / 1e6 }));
