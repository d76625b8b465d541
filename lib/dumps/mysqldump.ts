import { access, constants } from "node:fs/promises";
import path from "node:path";
import { failed, usage } from "../errors.ts";
import { runGroup } from "../process/group.ts";
import {
  checkOptions,
  dumpEnvironment,
  type DumpWorld,
  type RefusedOptions,
} from "./invocation.ts";

/** What is to be dumped, and how. */
export interface MysqlDump {
  /** Each of them; "all" for all that the server has. */
  readonly databases: readonly string[] | "all";
  /** A name or path; without one, mariadb-dump or else mysqldump of the PATH. */
  readonly program: string | undefined;
  /** Where host, user and password stand. */
  readonly defaultsFile: string | undefined;
  /** Further options of the dump program. */
  readonly more: readonly string[];
}

const usualNames = ["mariadb-dump", "mysqldump"];

/** What the client libraries read of the environment. */
const passedOn =
  /^(?:PATH|HOME|USER|LOGNAME|TMPDIR|TZ|LANG|LC_[A-Z]+|(?:LIB)?MYSQL_\w+|MARIADB_\w+|SSL_CERT_(?:FILE|DIR)|OPENSSL_CONF)$/;

/**
 * Options that make a dump that changes as little as its tables. One row a line: else a row that is
 * added moves the ends of all statements behind it.
 */
const usualOptions = [
  "--single-transaction",
  "--quick",
  "--routines",
  "--events",
  "--triggers",
  "--hex-blob",
  "--skip-dump-date",
  "--skip-extended-insert",
  "--no-autocommit",
  "--add-locks",
  "--comments",
  "--max-allowed-packet=1G",
  "--default-character-set=utf8mb4",
];

/** Options that can't be had: what is told of each is why. */
const refusedOptions: RefusedOptions = [
  [
    /^(?:-p|--(?:loose[-_])?p(?:a(?:s.*)?)?(?:=|$))/,
    "a password in an argument is seen by everybody: write it into a file for --defaults-file",
  ],
  [
    /^--(?:defaults-|no-defaults|login-path)/,
    "the option of the same name, before the --, does that",
  ],
  [/^(?:--tab(?:=|$)|-T)/, "--tab writes files of its own, and no dump"],
  [/^(?:--xml|-X)/, "XML has no sections that are known"],
  [
    /^(?:--compact|--skip-comments|--comments=)/,
    "its comments tell where sections begin and whether the dump is whole",
  ],
  [/^(?:--result-file|-r)/, "the dump is taken from standard output"],
];

const valuedLetters = "hpPrSTuw#";

/**
 * The command that makes the dump, and its environment. Throws usage() for what can't be dumped so,
 * failed() where the dump program is missing or doesn't say what it is.
 */
export async function mysqlDumpCommand(
  dump: MysqlDump,
  world: DumpWorld,
): Promise<{ readonly words: readonly string[]; readonly env: Readonly<Record<string, string>> }> {
  checkOptions(dump.more, refusedOptions, valuedLetters);
  expectOptions(dump.more);
  const env = dumpEnvironment(world.env, passedOn);
  const program = dump.program ?? (await findProgram(env));
  const isMariadb = await asksMariadb(program, env, world.signal);
  return { words: dumpWords(program, dump, isMariadb, world.cwd), env };
}

/** Long options of mysqldump or mariadb-dump whose value is often the next word. */
const valuedNames =
  /^--(?:bind-address|character-sets-dir|compatible|default-(?:auth|character-set)|(?:fields|lines)-[a-z-]+-by|host|ignore-(?:database|error|table(?:-data)?)|log-error|max-allowed-packet|net-buffer-length|plugin-dir|port|protocol|server-public-key-path|socket|ssl-[a-z]+|tls-[a-z]+|user|where)$/;

/** Throws usage() for a word that the dump program would take for a database, and the databases for its tables. */
function expectOptions(more: readonly string[]): void {
  for (const [at, word] of more.entries()) {
    if (word.startsWith("-") && word !== "-" && word !== "--") continue;
    if (word !== "--" && takesNext(more[at - 1] ?? "")) continue;
    throw usage("expected options of the dump program behind --, found a word that is none", {
      hint: "databases are named behind --dump; join an option and its value: --OPTION=VALUE",
    });
  }
}

/** Whether the value of an option is in the next word. */
function takesNext(option: string): boolean {
  if (option.startsWith("--")) return valuedNames.test(option.replaceAll("_", "-"));
  return /^-[^hpPrSTuw#]*[hPSuw]$/.test(option);
}

/** The arguments of the dump program, itself among them. */
function dumpWords(
  program: string,
  { databases, defaultsFile, more }: MysqlDump,
  isMariadb: boolean,
  cwd: string,
): readonly string[] {
  const all = databases === "all";
  // Only MySQL's program has this. A part of a server is restored into another one, with its own history.
  const gtid = isMariadb ? [] : [`--set-gtid-purged=${all ? "COMMENTED" : "OFF"}`];
  const chosen = all
    ? ["--all-databases"]
    : [...(databases.length > 1 ? ["--databases"] : []), "--", ...databases];
  return [
    program,
    // This must come first.
    ...(defaultsFile === undefined ? [] : [`--defaults-file=${path.resolve(cwd, defaultsFile)}`]),
    ...usualOptions,
    ...gtid,
    ...more,
    ...chosen,
  ];
}

async function findProgram({ PATH = "" }: Readonly<Record<string, string>>): Promise<string> {
  for (const name of usualNames)
    for (const folder of PATH.split(":").filter((one) => one !== "")) {
      const file = path.join(folder, name);
      const there = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (there) return file;
    }
  throw failed(`expected ${usualNames.join(" or ")} on the PATH, found neither`, {
    hint: "install the client of the server, or name its dump program with --program",
  });
}

async function asksMariadb(
  program: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<boolean> {
  let text = "";
  await runGroup({
    command: [program, "--version"],
    env,
    signal,
    onStdout: (line) => (text += `${line}\n`),
  });
  if (/mariadb/i.test(text)) return true;
  if (/\bVer\b/.test(text)) return false;
  throw failed(
    `${program}: expected a version of mysqldump or mariadb-dump, found another answer`,
    {
      hint: "--program names the dump program",
    },
  );
}
