import ini from "ini";

/** What stands to the right of `key =`. */
export interface Value {
  /** Without comment, surrounding space and quotes. */
  readonly text: string;
  /** Where `text` begins in what was given. */
  readonly offset: number;
  readonly problem?: { readonly message: string; readonly hint: string };
}

/**
 * Reads one value. White space and then `;` or `#` begin a comment, except inside quotes; a value
 * that is quoted as a whole loses the quotes, and in double quotes JSON's escapes hold. Everything
 * else stays as it is written: `a;b`, `/srv/data#1` and backslashes too.
 */
export function readValue(raw: string): Value {
  const offset = raw.length - raw.trimStart().length;
  const bare = raw.slice(offset);
  const quote = bare[0];
  if (quote === '"' || quote === "'") {
    const close = closingQuote(bare, 0);
    if (close === undefined) {
      return {
        text: "",
        offset,
        problem: {
          message: `expected a closing ${quote}, found the end of the line`,
          hint: "quote the whole value with the other kind of quote to keep one",
        },
      };
    }
    if (/^\s*$|^\s+[;#]/.test(bare.slice(close + 1)))
      return unquote(bare.slice(0, close + 1), offset);
  }
  // A comment may follow the = at once, so the space before the value counts.
  return { text: raw.slice(0, commentStart(raw)).trim(), offset };
}

/**
 * `text` as readValue reads it back: bare where that is safe, else in double quotes.
 */
export function writeValue(text: string): string {
  const { text: back, problem } = readValue(` ${text}`);
  return problem === undefined && back === text && !hasControl(text) ? text : JSON.stringify(text);
}

function unquote(text: string, offset: number): Value {
  if (text.startsWith("'")) return { text: text.slice(1, -1), offset: offset + 1 };
  // ini.unsafe is given nothing but whole quoted strings: from bare ones it cuts `;` and `#`, it
  // drops backslashes, and it turns '1.50' into the number 1.5.
  const value: unknown = ini.unsafe(text);
  // When an escape is wrong it gives back the text with its quotes.
  if (typeof value === "string" && !(value === text && !isJson(text))) {
    return { text: value, offset: offset + 1 };
  }
  return {
    text: "",
    offset,
    problem: {
      message:
        'expected \\\\, \\", \\n or another escape of JSON in the double quotes, found a bad one',
      hint: "write \\\\ for a backslash, or use single quotes, which keep everything",
    },
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The index of the quote that ends the one at `open`. */
function closingQuote(text: string, open: number): number | undefined {
  const quote = text[open];
  for (let at = open + 1; at < text.length; at += 1) {
    if (text[at] === "\\" && quote === '"') at += 1;
    else if (text[at] === quote) return at;
  }
  return undefined;
}

function commentStart(text: string): number {
  for (let at = 0; at < text.length; at += 1) {
    const before = text[at - 1] ?? " ";
    const character = text[at] ?? "";
    if ((character === ";" || character === "#") && at > 0 && /\s/.test(before)) return at;
    // In `it's` the quote is an apostrophe.
    if ((character === '"' || character === "'") && !/[\p{L}\p{N}\\]/u.test(before)) {
      at = closingQuote(text, at) ?? at;
    }
  }
  return text.length;
}

function hasControl(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return /[\u0000-\u001f\u007f-\u009f]/.test(text);
}
