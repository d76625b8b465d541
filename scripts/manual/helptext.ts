/* The text of --help behind the options, taken to pieces. */

export interface Entry {
  readonly term: string;
  /** Empty where the term stands alone. */
  readonly text: string;
}

/** A paragraph, the list below it, or both. */
export interface Block {
  readonly text: string;
  readonly entries: readonly Entry[];
}

export interface HelpText {
  readonly description: readonly Block[];
  readonly exitStatus: readonly Block[];
  readonly examples: readonly Entry[];
}

/**
 * Blocks are separated by empty lines; a list is indented, its two columns by two spaces or more. A list whose
 * terms are numbers is one of exit codes.
 */
export function readHelpText(after: string): HelpText {
  const blocks = after
    .split(/\n\s*\n/)
    .map(readBlock)
    .flatMap(splitStatus)
    .filter(({ text, entries }) => text !== "" || entries.length > 0);
  return {
    description: blocks.filter((block) => !isStatus(block) && !isExample(block)),
    exitStatus: blocks.filter(isStatus),
    examples: blocks.filter(isExample).flatMap(({ entries }) => entries),
  };
}

function isExample({ text }: Block): boolean {
  return text === "Examples:";
}

function isStatus({ entries }: Block): boolean {
  return entries.length > 0 && entries.every(({ term }) => /^\d+$/.test(term));
}

/** Only the last sentence above a list of exit codes speaks of them. */
function splitStatus(block: Block): Block[] {
  const [, before, last] = /^(.*[.]) (.*)$/.exec(block.text) ?? [];
  if (!isStatus(block) || before === undefined || last === undefined) return [block];
  return [
    { text: before, entries: [] },
    { text: last, entries: block.entries },
  ];
}

function readBlock(block: string): Block {
  const lines = block.split("\n").filter((line) => line.trim() !== "");
  const list = lines.filter((line) => line.startsWith("  "));
  const text = lines.filter((line) => !line.startsWith("  "));
  const column = columnOf(list);
  return { text: text.join(" "), entries: list.map((line) => readEntry(line, column)) };
}

/** Where the second column begins; undefined where there is none. */
function columnOf(lines: readonly string[]): number | undefined {
  const columns = lines.flatMap((line) => {
    const match = /^( +\S.*?\s{2,})\S/.exec(line);
    return match?.[1] === undefined ? [] : [match[1].length];
  });
  return columns.length === 0 ? undefined : Math.max(...columns);
}

function readEntry(line: string, column: number | undefined): Entry {
  // A term as long as its column leaves one space only.
  const at = column !== undefined && line[column - 1] === " " ? column : line.length;
  return { term: line.slice(0, at).trim(), text: line.slice(at).trim() };
}
