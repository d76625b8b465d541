/** What one line of a defaults file sets. Lines count from 1. */
export interface Assignment {
  readonly name: string;
  readonly text: string;
  readonly line: number;
  /** Why the shell would make something else of it than we can; `text` means nothing then. */
  readonly problem?: { readonly message: string; readonly hint: string };
}

export interface LineProblem {
  readonly line: number;
  readonly message: string;
  readonly hint: string;
}

export interface Defaults {
  /** In the order of the file; of one name the last holds. */
  readonly assignments: readonly Assignment[];
  /** Lines that are no assignment. */
  readonly problems: readonly LineProblem[];
}

/**
 * Reads `NAME=VALUE` lines as a shell does, without running anything: `export` before them, quotes,
 * backslashes and comments. What a shell would expand or run is a problem, never taken as it stands.
 */
export function parseDefaults(text: string): Defaults {
  const assignments: Assignment[] = [];
  const problems: LineProblem[] = [];
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  for (const [index, raw] of lines.entries()) {
    const line = index + 1;
    const bare = raw.replace(/\r$/, "").trim();
    if (bare === "" || bare.startsWith("#")) continue;
    const match = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(bare);
    if (match === null) {
      // The line isn't shown: it may be a secret that lost its name.
      const message = "expected NAME=VALUE, found something else";
      problems.push({ line, message, hint: "no spaces around the =; a comment begins with #" });
      continue;
    }
    const [, name = "", value = ""] = match;
    assignments.push({ name, line, ...readWord(value) });
  }
  return { assignments, problems };
}

type Word = Pick<Assignment, "text" | "problem">;

function readWord(value: string): Word {
  let text = "";
  for (let at = 0; at < value.length;) {
    const character = value[at] ?? "";
    if (/\s/.test(character)) {
      if (/^\s+(?:#.*)?$/s.test(value.slice(at))) return { text };
      return wrong("one word", "a space in it", "put the value into single quotes");
    }
    if (character === "'" || character === '"') {
      const part = character === "'" ? single(value, at) : double(value, at);
      if (part.problem !== undefined) return part;
      text += part.text;
      at = part.end;
    } else if (character === "\\") {
      if (at + 1 === value.length)
        return wrong("the value in one line", "a backslash at its end", "write it in one line");
      text += value[at + 1] ?? "";
      at += 2;
    } else if (/[$`;&|<>()]/.test(character)) {
      return wrong("a plain value", `a bare ${character}`, "put the value into single quotes");
    } else {
      text += character;
      at += 1;
    }
  }
  return text.includes("\0") ? wrong("text", "a NUL byte", "remove it") : { text };
}

type Part = Word & { readonly end: number };

function single(value: string, open: number): Part {
  const close = value.indexOf("'", open + 1);
  if (close < 0) return { ...unclosed("'"), end: value.length };
  return { text: value.slice(open + 1, close), end: close + 1 };
}

function double(value: string, open: number): Part {
  let text = "";
  for (let at = open + 1; at < value.length; at += 1) {
    const character = value[at] ?? "";
    const next = value[at + 1] ?? "";
    if (character === '"') return { text, end: at + 1 };
    if (character === "\\" && /[\\"$`]/.test(next)) {
      text += next;
      at += 1;
    } else if (character === "$" || character === "`") {
      const problem = wrong(
        "a plain value",
        `a ${character} in double quotes`,
        "use single quotes",
      );
      return { ...problem, end: value.length };
    } else {
      text += character;
    }
  }
  return { ...unclosed('"'), end: value.length };
}

function unclosed(quote: string): Word {
  return wrong(`a closing ${quote}`, "the end of the line", "write the value in one line");
}

function wrong(expected: string, found: string, hint: string): Word {
  return { text: "", problem: { message: `expected ${expected}, found ${found}`, hint } };
}
