/* roff as man(7) wants it: https://man7.org/linux/man-pages/man7/groff_man_style.7.html */

const signs: Readonly<Record<string, string>> = {
  "\\": "\\e",
  // A hyphen that can be copied into a shell.
  "-": "\\-",
  // Typographic signs otherwise.
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
  // They would end a quoted argument of a macro.
  '"': "\\(dq",
};

/** Text that stands for itself, wherever in a line. White space becomes one space, line ends included. */
export function plain(text: string): string {
  const spaced = text.replaceAll(/\s+/g, " ");
  const escaped = spaced.replaceAll(/[\\\-'`^~"]/g, (sign) => signs[sign] ?? sign);
  return escaped
    .replaceAll(/\p{Cc}/gu, "?")
    .replaceAll(/[^ -~]/gu, (sign) => `\\[u${code(sign)}]`)
    .replace(/^\./, "\\&.");
}

function code(sign: string): string {
  return (sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
}

export function bold(text: string): string {
  return `\\fB${plain(text)}\\fR`;
}

export function italic(text: string): string {
  return `\\fI${plain(text)}\\fR`;
}

/** Text in which `<a>` and `[a]` are values: italic, without the angles. */
export function withValues(text: string): string {
  const parts = text.split(/(<[^<>]*>|\[[^[\]]*\])/);
  return parts
    .map((part, at) => {
      if (at % 2 === 0) return part === "" ? "" : plain(part);
      const inner = part.slice(1, -1);
      return part.startsWith("<") ? italic(inner) : `[${italic(inner)}]`;
    })
    .join("");
}

export function title(name: string, version: string): string {
  const source = plain(`rclone-backups ${version}`);
  // Neither hyphens that nobody typed nor gaps between words.
  return `.TH "${plain(name.toUpperCase())}" 1 "" "${source}" "rclone\\-backups"\n.nh\n.ad l`;
}

/** A heading and what is below it, as lines; nothing without anything below. */
export function section(heading: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  return [`.SH ${heading}`, ...(lines[0] === ".PP" ? lines.slice(1) : lines)];
}

/** `text` is roff already, as that of the two below. */
export function paragraph(text: string): string[] {
  return [".PP", text];
}

/** A term and what is said of it. */
export function entry(term: string, text: string): string[] {
  return text === "" ? paragraph(term) : [".TP", term, text];
}
