/*
 * Writes man pages and shell completions from the definitions that --help is made of, into dist/ or the directory
 * that is named; scripts/build.ts calls it.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageVersion } from "../lib/cli.ts";
import { renderBash } from "./manual/bash.ts";
import { readCommands, type CommandDefinition } from "./manual/definition.ts";
import { renderFish } from "./manual/fish.ts";
import { pageName, renderPage } from "./manual/page.ts";
import { withBelow } from "./manual/shell.ts";
import { renderZsh } from "./manual/zsh.ts";

/** Texts by their file's name below dist/. */
export function renderManual(commands: readonly CommandDefinition[]): Map<string, string> {
  const all = commands.flatMap(withBelow);
  const surroundings = { version: packageVersion(), pages: all.map(pageName) };
  return new Map([
    ...all.map(
      (command) => [`man/${pageName(command)}.1`, renderPage(command, surroundings)] as const,
    ),
    ["completions/bash", renderBash(commands)],
    ["completions/zsh", renderZsh(commands)],
    ["completions/fish", renderFish(commands)],
  ]);
}

/** Writes all of it below `target`. */
export async function writeManual(target: string): Promise<void> {
  for (const [name, text] of renderManual(await readCommands())) {
    const file = join(target, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await writeManual(process.argv[2] ?? "dist");
