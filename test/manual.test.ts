// Man pages and completion scripts as texts: complete, up to date, and right for signs that mean something to roff.
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { Command } from "@commander-js/extra-typings";
import { array, object, parse, string } from "valibot";
import { define, readCommands, type CommandDefinition } from "../scripts/manual/definition.ts";
import { readHelpText } from "../scripts/manual/helptext.ts";
import { renderPage } from "../scripts/manual/page.ts";
import { withBelow } from "../scripts/manual/shell.ts";
import { renderManual } from "../scripts/manual.ts";
import { compiled, projectRoot, run } from "./helpers/command.ts";
import { tool } from "./helpers/tools.ts";

const commands = await readCommands();
const manual = renderManual(commands);

/** `-n`, `--dry-run`, … as they stand in the text that --help prints. */
function optionsOf({ help }: CommandDefinition): string[] {
  const [, list = ""] = help.split("\nOptions:\n");
  const flags = [...list.matchAll(/^ {2}(-\S.*?)(?: {2,}|$)/gm)].map(([, each = ""]) => each);
  return flags.flatMap((each) => each.match(/(?<![\w-])--?[A-Za-z][\w-]*/g) ?? []);
}

/** What stands in a script from where a command begins to where the next does. */
function partOf(script: string, pattern: RegExp): string {
  return script.match(pattern)?.[0] ?? "";
}

test("every option and command of --help is in the man page and in each completion", () => {
  const all = commands.flatMap(withBelow);
  assert.ok(all.length >= 12, `only ${all.length} commands`);
  for (const command of all) {
    const { words } = command;
    const options = optionsOf(command);
    assert.ok(options.length >= 4, `only ${options.length} options of ${words}`);
    const [program = "", below] = words.split(" ");
    const page = (manual.get(`man/${words.replaceAll(" ", "-")}.1`) ?? "").replaceAll("\\-", "-");
    const bash = partOf(
      manual.get("completions/bash") ?? "",
      new RegExp(`^ {4}'${words}'\\)\\n[^]*?;;`, "m"),
    );
    const zsh = partOf(
      manual.get("completions/zsh") ?? "",
      new RegExp(`^_rclone_backups_of_${words.replaceAll(" ", "_")}\\(\\)[^]*?\\n}`, "m"),
    );
    const condition =
      below === undefined
        ? "(?! -n '__rclone_backups_command )"
        : ` -n '__rclone_backups_command ${below}'`;
    const fish = (manual.get("completions/fish") ?? "").match(
      new RegExp(`^complete -c ${program}${condition}.*$`, "gm"),
    );
    for (const option of options) {
      assert.ok(page.includes(`\\fB${option}\\fR`), `${option} on the page of ${words}`);
      assert.match(bash, new RegExp(`options='.*(?<=[ '])${option}[ ']`), words);
      assert.match(zsh, new RegExp(`'(?:\\*|\\(.*\\))?${option}[+=]?\\[`), words);
      const flag = option.startsWith("--") ? `-l ${option.slice(2)}` : `-s ${option.slice(1)}`;
      assert.ok(
        fish?.some((line) => ` ${line} `.includes(` ${flag} `)),
        `${words} ${flag}`,
      );
    }
    for (const each of command.commands) {
      const name = each.words.split(" ").at(-1) ?? "";
      assert.ok(page.includes(`\\fB${each.words}\\fR`), each.words);
      assert.match(bash, new RegExp(`commands='.*(?<=[ '])${name}[ ']`));
      assert.ok(zsh.includes(`'${name}:`), name);
      assert.ok(
        fish?.some((line) => line.includes(` -a '${name}'`)),
        name,
      );
    }
  }
});

test("what was built is up to date, and npm installs the pages of every command", async () => {
  for (const [name, text] of manual)
    assert.equal(await readFile(path.join(projectRoot, "dist", name), "utf8"), text, name);
  const pages = [...manual.keys()].filter((name) => name.startsWith("man/"));
  assert.deepEqual(
    (await readdir(path.join(projectRoot, "dist/man"))).toSorted(),
    pages.map((name) => path.basename(name)).toSorted(),
  );
  const text = await readFile(path.join(projectRoot, "package.json"), "utf8");
  const { man } = parse(object({ man: array(string()) }), JSON.parse(text));
  assert.deepEqual(
    man,
    pages.map((name) => `dist/${name}`).toSorted(),
    "`man` in package.json names every page of dist/man",
  );
});

/** Pages as a terminal shows them, one behind the other, their white space as single spaces. */
async function typeset(pages: readonly string[]): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "rclone-backups-manual-"));
  try {
    const files = pages.map((_, at) => path.join(directory, `${at}.1`));
    for (const [at, file] of files.entries()) await writeFile(file, pages[at] ?? "");
    const result = await run(tool("groff"), [
      ...["-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-u", "-P-o"],
      ...files,
    ]);
    assert.equal(result.stderr, "");
    assert.equal(result.code, 0);
    return result.stdout.replaceAll(/\s+/g, " ");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test("the man pages are set without a warning", async () => {
  const pages = [...manual].filter(([name]) => name.startsWith("man/"));
  const text = await typeset(pages.map(([, page]) => page));
  for (const heading of ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS"])
    assert.ok(text.includes(` ${heading} `), heading);
  assert.match(text, /SYNOPSIS rclone-cleanup \[options\] backup path\.\.\. /);
  assert.match(text, / rclone-backups status --html status\.html a page with charts /);
  assert.match(text, / EXIT STATUS 0 done 1 failed 2 wrong usage/);
  assert.match(text, /tell how backups are: .* that a backup asks for: 0 every backup is good/);
});

test("signs that mean something to roff are shown as they are", async () => {
  const nasty = ".x 'y' \\fBz\\n \"q\" `w` ~^ -- a-b \\ %$*{}[N%] <n> é … 日本";
  const command = new Command("nasty")
    .description(`'Begins so. ${nasty}`)
    .argument("<one>", nasty)
    .option("--all <n>", nasty)
    .addHelpText(
      "after",
      `\n.SH ${nasty}\n\nExamples:\n  'run' \\& .so  ${nasty}\n  .so /etc/passwd`,
    );
  const text = await typeset([renderPage(define(command), { version: "1", pages: [] })]);
  assert.equal(text.split(nasty).length - 1, 5);
  for (const part of [".SH .x", "'run' \\& .so .x", ".so /etc/passwd", "nasty - 'Begins so "])
    assert.ok(text.includes(` ${part}`), `${part} in ${text}`);
});

test("the text behind the options is taken to pieces", () => {
  assert.deepEqual(
    readHelpText(
      "\nOne\ntwo. It ends with\n  0   fine\n  10  not\n\nExamples:\n  a b  what\n  a bc what\n  alone\n",
    ),
    {
      description: [{ text: "One two.", entries: [] }],
      exitStatus: [
        {
          text: "It ends with",
          entries: [
            { term: "0", text: "fine" },
            { term: "10", text: "not" },
          ],
        },
      ],
      examples: [
        { term: "a b", text: "what" },
        { term: "a bc", text: "what" },
        { term: "alone", text: "" },
      ],
    },
  );
});

test("rclone-backups completion prints the script of a shell", async () => {
  const script = [compiled("rclone-backups"), "completion"];
  const fish = await run(process.execPath, [...script, "fish"], { env: { PATH: "/nowhere" } });
  assert.equal(fish.stderr, "");
  assert.equal(fish.code, 0);
  assert.equal(fish.stdout, manual.get("completions/fish"));
  const other = await run(process.execPath, [...script, "tcsh"]);
  assert.equal(other.code, 2);
  assert.match(other.stderr, /Allowed choices are bash, zsh, fish/);
});
