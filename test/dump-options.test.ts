import assert from "node:assert/strict";
import { test } from "node:test";
import { mysqlDumpCommand } from "../lib/dumps/mysqldump.ts";
import { pgDumpCommand } from "../lib/dumps/pgdump.ts";
import { Failure } from "../lib/errors.ts";
import { compiled, run } from "./helpers/command.ts";
import { exporter } from "./helpers/splitting.ts";

/* What is typed for a dump program: no password gets into its arguments, or into a message, and no word for a database. */

const secret = "Never-show-this-4711";
// No program of this name is there: what is let through ends with another error.
const program = "no-such-program";
const world = { env: {}, cwd: "/", signal: new AbortController().signal };

async function told(starting: Promise<unknown>): Promise<string> {
  const error: unknown = await starting.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Failure);
  const { message, hint = "" } = error;
  assert.ok(!`${message}${hint}`.includes(secret), message);
  return message;
}

async function mysql(...more: readonly string[]): Promise<string> {
  const dump = { databases: ["a"], defaultsFile: undefined, program, more };
  return told(mysqlDumpCommand(dump, world));
}

async function pg(database: string, ...more: readonly string[]): Promise<string> {
  const dump = { database, program, passwordFile: undefined, more, key: "k" };
  return told(pgDumpCommand(dump, world));
}

test("short options that stand together are taken apart, as the dump programs do", async () => {
  for (const [word, found] of [
    [`-p${secret}`, "-p"],
    [`-vp${secret}`, "-p"],
    [`-fqp${secret}`, "-p"],
    ["-vT/tmp", "-T"],
    ["-vX", "-X"],
    ["-vrfile", "-r"],
  ] as const)
    assert.equal(await mysql(word), `expected options that can be used here, found ${found}`);
  // Behind a letter that takes a value, its value follows.
  for (const word of ["-uphp", "-P3306", "-vhprod", "-Stmp/pX", "-wp='X'", "-fq"])
    assert.match(await mysql(word), /no-such-program: expected a program/);
  assert.match(await pg("a", "-vFc"), /found -F$/);
  assert.match(await pg("a", "-vf", "file"), /found -f$/);
});

test("a word behind -- that is no option is not taken for a database", async () => {
  const refused = "expected options of the dump program behind --, found a word that is none";
  for (const words of [
    [secret],
    ["--no-tablespaces", secret],
    ["-v", secret],
    ["--host=h", secret],
    ["-hh", secret],
    ["-h", "h", secret],
    ["--", secret],
    ["--tables", secret],
    [""],
  ])
    assert.equal(await mysql(...words), refused, words.join(" "));
  for (const words of [
    ["-h", "h", "-vP", "3306", "-S", "/s", "-uroot"],
    ["--host", "h", "--ignore_table", "a.b", "--ssl-ca", "f", "--where", "id > 1"],
    ["--no-tablespaces", "--ignore-table=a.b"],
  ])
    assert.match(await mysql(...words), /no-such-program: expected a program/, words.join(" "));
});

test("a connection string holds no secret of any kind", async () => {
  const strings = [
    "password",
    "sslpassword",
    "oauth_client_secret",
    "scram_client_key",
    "scram_server_key",
  ].flatMap((name) => [
    `host=h ${name}=${secret}`,
    `${name} = ${secret}`,
    `postgresql://h/d?user=u&${name}=${secret}`,
  ]);
  for (const text of strings) {
    assert.match(await pg(text), /^expected no password in an argument/, text);
    assert.match(await pg("d", `--dbname=${text}`), /^expected no password in an argument/, text);
    assert.match(await pg("d", `-vd${text}`), /^expected no password in an argument/, text);
  }
  // What only looks a bit like one is none.
  assert.match(await pg("host=h oauth_client_id=x", "--exclude-table=password"), /no-such-program/);
});

test("the value of a mistyped option is not told", async () => {
  for (const [file, args, message] of [
    [exporter("mysql-split"), [`--password=${secret}`], /error: unknown option '--password'\n/],
    [exporter("mysql-split"), [`-vp${secret}`], /error: unknown option '-p'\n/],
    [
      exporter("mongo-export"),
      ["--to", "x", `--url=mongodb://u:${secret}'\n@h/`],
      /error: unknown option '--url'\n/,
    ],
    [compiled("rclone-backups"), ["status", `--jsn=${secret}`], /error: unknown option '--jsn'\n/],
  ] as const) {
    const { code, stderr } = await run(process.execPath, [file, ...args]);
    assert.equal(code, 2);
    assert.match(stderr, message);
    assert.match(stderr, /hint: .* --help tells more\n$/);
    assert.ok(!stderr.includes(secret), stderr);
  }
});
