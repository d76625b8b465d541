/**
 * Text that is safe to show: what could move the cursor, change colours, hide or reorder text is
 * written as an escape. Names of files come from outside and may hold anything.
 */
export function escapeText(text: string): string {
  return text.replaceAll(unsafe, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code <= 0xff ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
  });
}

/** As escapeText, but keeps line ends: for messages of several lines that we put together. */
export function escapeLines(text: string): string {
  return text.split("\n").map(escapeText).join("\n");
}

/** Controls of C0 and C1, line and paragraph separators, and the marks that reorder text. */
const unsafe =
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  /[\u0000-\u001F\u007F-\u009F\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069\uFEFF]/g;

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, "0");
}
