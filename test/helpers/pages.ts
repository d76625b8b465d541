import { readFileSync } from "node:fs";
import path from "node:path";
import { projectRoot } from "./command.ts";

/** A fenced block of a page, or a comment `<!-- sh … -->`: commands that readers need not see. */
export interface Block {
  /** The word behind the fence; "hidden" for a comment. */
  readonly kind: string;
  readonly text: string;
  /** Where it begins, for messages. */
  readonly line: number;
}

/** A command of a console block with what it should print. */
export interface Step {
  readonly command: string;
  readonly expected: readonly string[];
  readonly line: number;
  /** Hidden commands have to succeed and may print anything. */
  readonly hidden: boolean;
}

/** The text of a page, named from the top of the checkout. */
export function readPage(name: string): string {
  return readFileSync(path.join(projectRoot, name), "utf8");
}

/** The blocks of a page. Throws on a fence that is not closed. */
export function blocksOf(name: string, text = readPage(name)): Block[] {
  const blocks: Block[] = [];
  let open: { kind: string; line: number; end: string; lines: string[] } | undefined;
  for (const [at, line] of text.split("\n").entries()) {
    if (open !== undefined) {
      if (line !== open.end) {
        open.lines.push(line);
        continue;
      }
      blocks.push({ kind: open.kind, text: open.lines.join("\n"), line: open.line });
      open = undefined;
    } else if (line.startsWith("```")) {
      open = { kind: line.slice(3).trim(), line: at + 1, end: "```", lines: [] };
    } else if (line === "<!-- sh") {
      open = { kind: "hidden", line: at + 1, end: "-->", lines: [] };
    }
  }
  if (open !== undefined) throw new Error(`${name}:${open.line}: a block that does not end`);
  return blocks;
}

/** The commands of a console block: `$ ` begins one, `> ` goes on with it, the rest is output. */
export function stepsOf({ kind, text, line }: Block): Step[] {
  if (kind === "hidden") return [{ command: text, expected: [], line, hidden: true }];
  const steps: { command: string; expected: string[]; line: number; hidden: boolean }[] = [];
  for (const [at, row] of text.split("\n").entries()) {
    const last = steps.at(-1);
    if (row.startsWith("$ ")) {
      steps.push({ command: row.slice(2), expected: [], line: line + at + 1, hidden: false });
    } else if (last === undefined) throw new Error(`line ${line}: expected a command first`);
    else if (last.expected.length === 0 && (row === ">" || row.startsWith("> "))) {
      last.command += `\n${row.slice(2)}`;
    } else last.expected.push(row);
  }
  return steps;
}

/**
 * Whether a text is what a page shows of it. `…` stands for any text in its line, and alone on a
 * line for any lines. Times of now, the run ids made of them, and digests of places are all alike;
 * times of 2024, which are those of the files, are not. Runs of spaces count as one, since columns
 * are as wide as the longest path.
 */
export function matches(expected: readonly string[], actual: string): boolean {
  const pattern = expected
    .map((line) =>
      line === "…"
        ? "(?:.*\n)*"
        : `${alike(line)
            .split("…")
            .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
            .join(".*")}\n`,
    )
    .join("");
  const text = alike(actual);
  return new RegExp(`^${pattern}$`).test(text === "" || text.endsWith("\n") ? text : `${text}\n`);
}

function alike(text: string): string {
  return text
    .replaceAll(/\b(\d{6})-\d{8}T\d{6}Z/g, "$1-TIME")
    .replaceAll(/\b(?!2024)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, "TIME")
    .replaceAll(/\b(?:[0-9a-f]{64}|[0-9a-f]{16})\b/g, "DIGEST")
    .replaceAll(/ +/g, " ");
}
