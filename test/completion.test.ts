// The completions in the real shells: keys are typed into bash and zsh, fish is asked.
import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { Command } from "@commander-js/extra-typings";
import { define, readCommands } from "../scripts/manual/definition.ts";
import { withBelow } from "../scripts/manual/shell.ts";
import { renderManual } from "../scripts/manual.ts";
import { run } from "./helpers/command.ts";
import { makeConfigDir } from "./helpers/config-dir.ts";
import { tool } from "./helpers/tools.ts";

const evil = "it's \\ a [x]: $(touch evil) `touch evil` \"q\" ; touch evil %s 'end";
const nasty = define(
  new Command("nasty")
    .description(evil)
    .argument("<backup>", evil)
    .option("-d, --danger <file>", evil)
    .option("--other", evil),
);
const commands = [...(await readCommands()), nasty];
const scripts = renderManual(commands);

/** What is typed before the tab key, and the words that it comes to. A key behind the tab is typed after it. */
const lines: readonly (readonly [typed: string, ...words: string[]])[] = [
  ["rclone-backups sta", "status"],
  ["rclone-backups status --ht", "status", "--html"],
  ["rclone-backups status --color al", "status", "--color", "always"],
  ["rclone-backup --color=al", "--color=always"],
  ["rclone-backups completion f", "completion", "fish"],
  ["rclone-backups run pho", "run", "photos"],
  ["rclone-backups run -j 3 photos my", "run", "-j", "3", "photos", "my docs"],
  ["rclone-backup --config-dir ../named oth", "--config-dir", "../named", "other"],
  ["rclone-backup --config-dir=../named oth", "--config-dir=../named", "other"],
  ["rclone-backup ./x", "./x.conf"],
  ["rclone-backup env", "environment"],
  ["rclone-restore photos --to su", "photos", "--to", "sub dir"],
  ["rclone-backup --rclone-config x", "--rclone-config", "x.conf"],
  ["rclone-backup --set history.k\tdir", "--set", "history.kind=dir"],
  ["nasty --dan", "--danger"],
  ["nasty --danger x", "--danger", "x.conf"],
  // All that a command defines is looked at by its shell now.
  ...commands
    .flatMap(withBelow)
    .filter(({ words }) => words !== "nasty")
    .map(({ words }) => {
      const [, ...below] = words.split(" ");
      return [`${words} --versi`, ...below, "--version"] as const;
    }),
];

interface Place {
  readonly scripts: string;
  /** Where the shells stand. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

async function makePlace(t: TestContext): Promise<Place> {
  const { dir } = await makeConfigDir(t);
  const at = (name: string): string => path.join(dir, name);
  for (const name of ["cwd/sub dir", "cwd/photos", "named", "env", "home/.config/rclone-backups"])
    await mkdir(at(name), { recursive: true });
  for (const name of [
    ...["photos", "my docs", "a:b", ".hidden"].map((each) => `home/.config/rclone-backups/${each}`),
    ...["named/other", "env/environment", "cwd/x"],
  ])
    await writeFile(at(`${name}.conf`), "");
  for (const shell of ["bash", "zsh", "fish"])
    await writeFile(at(shell), scripts.get(`completions/${shell}`) ?? "");
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: at("home"),
    RCLONE_BACKUPS_DIR: at("env"),
    TERM: "dumb",
    LC_ALL: "C.UTF-8",
  };
  return { scripts: dir, cwd: at("cwd"), env };
}

/* Runs an interactive shell on a terminal and types: a set-up, then each line of standard input. */
const driver = `
zmodload zsh/zpty
setup=$1; shift
zpty shell "$@"
zpty -w shell "$setup"
zpty -r shell seen '*@ready@*' || exit 1
while IFS= read -r line; do
  zpty -w shell "$line"
  zpty -r shell seen '*@*@*' || exit 1
  print -r -- "\${\${seen#*@}%%@*}"
done`;

const names = commands.map(({ words }) => words).join(" ");

/** The words that each line came to; the commands are replaced by functions that print them. */
async function type(
  place: Place,
  setup: string,
  shell: readonly string[],
  asked: typeof lines = lines,
): Promise<string[]> {
  const input = asked.map(([typed]) => (typed.includes("\t") ? typed : `${typed}\t`));
  const { code, stdout, stderr } = await run(tool("zsh"), ["-fc", driver, "zsh", setup, ...shell], {
    cwd: place.cwd,
    env: place.env,
    input: `${input.join("\n")}\n`,
  });
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  // A directory may wait for more behind its slash.
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/\/$/, ""));
}

const expected = lines.map(([, ...words]) => words.join("|"));

test("bash completes commands, options, values, files and the names of backups", async (t) => {
  const place = await makePlace(t);
  const setup = `PS1= PS2=; bind 'set enable-bracketed-paste off'; source ../bash; for each in ${names}; do eval "$each() { local IFS='|'; echo \\"@\\$*@\\"; }"; done; echo @"ready@"`;
  assert.deepEqual(await type(place, setup, ["bash", "--norc", "-i"]), expected);
  assert.deepEqual((await readdir(place.cwd)).toSorted(), ["photos", "sub dir", "x.conf"]);
});

function zshSetup(load: string): string {
  return `PS1= PS2= RPS1=; stty -echo; unset zle_bracketed_paste; ${load}; for each in ${names}; do functions[$each]='print -r -- "@\${(j:|:)@}@"'; done; print @"ready@"`;
}

test("zsh completes commands, options, values, files and the names of backups", async (t) => {
  const place = await makePlace(t);
  const shell = [tool("zsh"), "-fi"];
  const sourced = zshSetup("autoload -Uz compinit && compinit -D -u; source ../zsh");
  assert.deepEqual(await type(place, sourced, shell), expected);
  await mkdir(path.join(place.scripts, "functions"));
  await writeFile(
    path.join(place.scripts, "functions/_rclone-backups"),
    scripts.get("completions/zsh") ?? "",
  );
  const found = zshSetup(
    "fpath=($PWD/../functions $fpath); autoload -Uz compinit && compinit -D -u",
  );
  assert.deepEqual(await type(place, found, shell, lines.slice(0, 6)), expected.slice(0, 6));
  assert.deepEqual((await readdir(place.cwd)).toSorted(), ["photos", "sub dir", "x.conf"]);
});

/** What fish offers for each line, the line's first words left out. */
async function ask(place: Place, typed: readonly string[]): Promise<string[]> {
  const script = `source ../fish
for line in $argv
    echo (complete -C $line | string split -f1 \\t | string join '|')
end`;
  const { code, stdout, stderr } = await run(
    tool("fish"),
    ["--no-config", "-c", script, ...typed],
    { cwd: place.cwd, env: place.env },
  );
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/\/$/, ""));
}

test("fish completes commands, options, values, files and the names of backups", async (t) => {
  const place = await makePlace(t);
  const typed = lines.map(([line]) => line.replace(/\t.*/, ""));
  const last = expected.map((words) => (words.split("|").at(-1) ?? "").replace(/=dir$/, "="));
  assert.deepEqual(await ask(place, typed), last);
  const [subcommands, backups, shells] = await ask(place, [
    "rclone-backups ",
    "rclone-backup ",
    "rclone-backups completion ",
  ]);
  assert.match(subcommands ?? "", /^completion\|.*run\|status/);
  assert.equal(backups, "a:b|environment|my docs|photos");
  assert.equal(shells, "bash|fish|zsh");
  assert.deepEqual((await readdir(place.cwd)).toSorted(), ["photos", "sub dir", "x.conf"]);
});

test("bash offers all that there is, without a terminal too", async (t) => {
  const place = await makePlace(t);
  const script = `source ../bash
offer() { COMP_LINE=$1 COMP_POINT=\${#1}; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _rclone_backups; printf '%s\\n' "\${COMPREPLY[@]-}" | sort | paste -s -d '|' -; }
set -u
offer 'rclone-backup ' rclone-backup ''
offer 'rclone-backup a:' rclone-backup a :
offer 'rclone-backup photos ' rclone-backup photos ''
offer 'rclone-backups run photos ' rclone-backups run photos ''
offer 'rclone-du --html ' rclone-du --html ''
offer 'rclone-du --html --nc' rclone-du --html --nc
offer 'rclone-backup -- --ver' rclone-backup -- --ver
offer '/usr/bin/rclone-backups completion ' /usr/bin/rclone-backups completion ''
offer 'rclone-backups no-such ' rclone-backups no-such ''`;
  const { code, stdout, stderr } = await run("bash", ["-c", script], place);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  const backups = "a:b|environment|my\\ docs|photos";
  assert.deepEqual(stdout.split("\n").slice(0, -1), [
    backups,
    "b",
    "",
    backups,
    "photos|sub dir|x.conf",
    "--ncdu",
    "",
    "bash|fish|zsh",
    "",
  ]);
});
