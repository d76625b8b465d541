import { createHash } from "node:crypto";
import { pipeline, Readable, Transform } from "node:stream";
import { failed } from "../errors.ts";
import type { HttpAnswer, HttpHeaders, HttpStream } from "./http.ts";

export interface WantedBytes {
  /** Bytes of the whole file, as the listing told. */
  readonly size: number;
  readonly start: number;
  /** At most so many bytes from `start` on. */
  readonly length: number | undefined;
}

/** A version's content as one kind of store serves it. */
export interface Source {
  /** `range` says for so many bytes that came already which range to ask for, if not for all. */
  readonly open: (range: (received: number) => string | undefined) => Promise<HttpStream>;
  readonly refusal: (answer: HttpAnswer) => Error | Promise<Error>;
  /** What the store keeps as the checksum of the whole content, in hexadecimal. */
  readonly checksum: (headers: HttpHeaders) => string | undefined;
  readonly kind: "sha1" | "md5";
  /** What is done to what, for messages. */
  readonly subject: string;
}

/**
 * The content of a version, a range of it or all. A whole one is held against the checksum that the
 * store keeps, if there is one: a stream whose bytes differ ends in an error.
 */
export async function download(
  { size, start, length }: WantedBytes,
  source: Source,
): Promise<Readable> {
  const { subject } = source;
  const wanted = Math.max(0, Math.min(size - start, length ?? Infinity));
  if (wanted === 0) return Readable.from([]);
  const part = wanted < size;
  const answer = await source.open((received) =>
    part || received > 0 ? `bytes=${start + received}-${start + wanted - 1}` : undefined,
  );
  if (answer.stream === undefined) throw await source.refusal(answer);
  const told = Number(answer.headers["content-length"] ?? Number.NaN);
  if (answer.status !== (part ? 206 : 200) || told !== wanted) {
    answer.stream.destroy();
    throw failed(
      `${subject}: expected ${wanted} bytes, found an answer of ${Number.isNaN(told) ? "unknown length" : told}`,
      { hint: "the stored file is not as it was listed; try again" },
    );
  }
  const sum = part ? undefined : source.checksum(answer.headers);
  if (sum === undefined) return answer.stream;
  // An error of either end destroys the other with it, so it is told to whoever reads.
  return pipeline(answer.stream, compared(sum, source), () => {});
}

function compared(expected: string, { kind, subject }: Source): Transform {
  const hash = createHash(kind);
  return new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      const found = hash.digest("hex");
      if (found === expected) return done();
      const title = kind === "sha1" ? "SHA-1" : "MD5";
      return done(failed(`${subject}: expected content of ${title} ${expected}, found ${found}`));
    },
  });
}
