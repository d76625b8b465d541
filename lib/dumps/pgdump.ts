import { open } from "node:fs/promises";
import path from "node:path";
import { listSet, setPlace } from "../chunks/place.ts";
import { usage } from "../errors.ts";
import { runGroup } from "../process/group.ts";
import {
  checkOptions,
  dumpEnvironment,
  type DumpWorld,
  type RefusedOptions,
} from "./invocation.ts";

/** What is to be dumped, and how. */
export interface PgDump {
  /** A database or a connection string; `all`: all databases and what they share. */
  readonly database: string | { readonly all: true };
  /** A name or path; without one, pg_dump or pg_dumpall of the PATH. */
  readonly program: string | undefined;
  /** Where passwords stand. */
  readonly passwordFile: string | undefined;
  /** Further options of the dump program. */
  readonly more: readonly string[];
  /** What the dump gives to \restrict; unless given, the program makes a key, which then is in no argument. */
  readonly key: string | undefined;
}

/** What the client library and the programs read of the environment. */
const passedOn =
  /^(?:PATH|HOME|USER|LOGNAME|TMPDIR|TZ|LANG|LANGUAGE|LC_[A-Z]+|PG\w+|KRB5\w+|SSL_CERT_(?:FILE|DIR)|OPENSSL_CONF)$/;

/** Options that can't be had: what is told of each is why. */
const refusedOptions: RefusedOptions = [
  [/^(?:--file|-f)/, "the dump is taken from standard output"],
  [/^(?:--format|-F)/, "the plain format is what can be split"],
  [/^(?:--jobs|-j)/, "only the directory format is written side by side"],
  [/^(?:--compress|-Z)/, "a compressed dump has no lines; rclone can compress what it uploads"],
  [/^(?:--password|-W)/, "nobody would be there to type a password"],
];

const valuedLetters = "deEfFhjlnNpStTUZ";

/**
 * The command that makes the dump, and its environment. Throws usage() for a password in an argument and
 * for options that can't be had, failed() where the dump program can't be started.
 */
export async function pgDumpCommand(
  dump: PgDump,
  world: DumpWorld,
): Promise<{ readonly words: readonly string[]; readonly env: Readonly<Record<string, string>> }> {
  const { database, more, passwordFile, key } = dump;
  const target = typeof database === "string" ? [`--dbname=${database}`] : [];
  if ([...more, ...target].some((word) => holdsPassword(word)))
    throw usage("expected no password in an argument, which everybody can see, found one", {
      hint: "write it into a file for --password-file, or name a service: --dump service=NAME",
    });
  checkOptions(more, refusedOptions, valuedLetters);
  const program = dump.program ?? (typeof database === "string" ? "pg_dump" : "pg_dumpall");
  const env = dumpEnvironment(world.env, passedOn);
  if (passwordFile !== undefined) env["PGPASSFILE"] = path.resolve(world.cwd, passwordFile);
  const words = [
    program,
    // A question would never be answered.
    "--no-password",
    ...(key !== undefined && (await takesKey(program, env, world.signal))
      ? [`--restrict-key=${key}`]
      : []),
    ...more,
    ...target,
  ];
  return { words, env };
}

/** Settings of the client library that are secrets. */
const secretSetting = String.raw`(?:(?:ssl)?password|oauth_client_secret|scram_(?:client|server)_key)\s*=`;
/** A setting begins a connection string, which may stand right behind -d, or follows something in it. */
const secretInside = new RegExp(
  String.raw`(?:^(?:-\w*?d)?|[\s=?&])${secretSetting}|postgres(?:ql)?://[^/]*:[^/]*@`,
  "i",
);

/** A connection string may hold one, as a setting or, in a URI, before the host. */
function holdsPassword(word: string): boolean {
  return secretInside.test(word);
}

/** Releases before August 2025 write no \restrict. */
async function takesKey(
  program: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<boolean> {
  let takes = false;
  await runGroup({
    command: [program, "--help"],
    env,
    signal,
    onStdout: (line) => (takes ||= line.includes("--restrict-key")),
  });
  return takes;
}

const headBytes = 4096;
/** As many letters and digits as pg_dump takes. */
const keyBytes = 31;

/**
 * What the next dump is to give to \restrict: what the one in a directory gives, or else a new one. By
 * itself pg_dump makes another key each time, and the files that hold it would never be as they were.
 * Throws refused() where the directory holds something else.
 */
export async function restrictKeyFor(
  directory: string,
  random: (bytes: number) => Uint8Array,
): Promise<string> {
  return (await keyIn(directory)) ?? Buffer.from(random(keyBytes)).toString("hex");
}

async function keyIn(directory: string): Promise<string | undefined> {
  const [first] = (await listSet(setPlace(directory))) ?? [];
  if (first === undefined) return undefined;
  const handle = await open(path.join(directory, first), "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    return /^\\restrict ([A-Za-z0-9]{1,63})$/m.exec(buffer.toString("latin1", 0, bytesRead))?.[1];
  } finally {
    await handle.close();
  }
}
