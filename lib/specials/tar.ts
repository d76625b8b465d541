import { PassThrough } from "node:stream";
import type { Readable } from "node:stream";
import { failed, interrupted } from "../errors.ts";
import { WriteFailure } from "./write-failure.ts";

/** Options that make equal members give equal bytes, whatever the machine, its users and its locale. */
const reproducible = [
  "--format=pax",
  "--sort=name",
  "--numeric-owner",
  "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
];
/** Names come byte for byte from stdin, and nothing is entered. */
const members = ["--no-recursion", "--null", "--verbatim-files-from", "--no-unquote"];

/** Every member takes at least one. */
const block = 512;

/** TAR_OPTIONS and the like stay outside. */
function plain(): { env: NodeJS.ProcessEnv; extendEnv: false } {
  return { env: { PATH: process.env["PATH"], LC_ALL: "C" }, extendEnv: false };
}

export interface TarRun {
  readonly output: AsyncIterable<Uint8Array>;
  /** To be awaited after the output. Throws WriteFailure with what tar said, interrupted() when stopped. */
  finish(): Promise<void>;
}

/** The name of GNU tar here: only it archives devices and fifos. Throws failed() if there is none. */
export async function findGnuTar(): Promise<string> {
  const { execa } = await import("execa");
  let other = "";
  for (const program of ["tar", "gtar"]) {
    const result = await execa(program, ["--version"], {
      ...plain(),
      reject: false,
      stdin: "ignore",
    });
    const [first = ""] = (result.stdout ?? "").split("\n");
    if (first.includes("GNU tar")) return program;
    other ||= first;
  }
  throw failed(`expected GNU tar as tar or gtar, found ${other || "none"}`, {
    hint: "install GNU tar (the package is called tar or gnu-tar), or set archive_specials = no",
  });
}

/** Archives these relative paths (bytes in Latin-1 strings, sorted) of a directory. */
export async function runTar(
  program: string,
  source: string,
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<TarRun> {
  const { execa } = await import("execa");
  const args = ["-c", "-f", "-", ...reproducible, "-C", source, ...members, "--files-from", "-"];
  const child = execa(program, args, {
    ...plain(),
    input: Buffer.from(paths.map((path) => `${path}\0`).join(""), "latin1"),
    buffer: { stdout: false },
    encoding: "buffer",
    reject: false,
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  // Attached at once: execa throws away what nobody reads.
  const output = child.stdout.pipe(new PassThrough());
  child.stdout.once("error", (error) => output.destroy(error));
  output.once("close", () => {
    if (!output.readableEnded) child.kill();
  });
  let size = 0;
  return {
    output: counting(output, (bytes) => (size += bytes)),
    async finish() {
      const result = await child;
      if (result.isCanceled) throw interrupted("stopped while archiving special files");
      if (result.exitCode === 0 && size >= paths.length * block) return;
      const said = Buffer.from(result.stderr).toString().trim().split("\n")[0];
      throw new WriteFailure(`tar failed: ${said || "it ended too early"}`);
    },
  };
}

async function* counting(
  stream: Readable,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    count(chunk.length);
    yield chunk;
  }
}
