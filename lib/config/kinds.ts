import { usage } from "../errors.ts";
import { parseBytes } from "../units/bytes.ts";
import { parseConditions, splitConditions } from "../units/condition.ts";
import { parseDuration } from "../units/duration.ts";
import type { Limit } from "../units/limit.ts";
import { parseLimit } from "../units/limit.ts";
import { suggest } from "../units/suggest.ts";
import { parseFlags } from "./flags.ts";
import { maskLocation, maskUrls } from "./mask.ts";
import { quoted } from "./problem.ts";

/** What a value may be and how it is read. */
export interface Kind<T> {
  readonly name: string;
  /** What is expected, for the reference. */
  readonly expects: string;
  /** A regular expression that every valid text matches, for the JSON Schema. */
  readonly pattern: string;
  /** Throws a usage failure that says what was expected and found. */
  parse(text: string): T;
  /** The text to show; as it is if absent. */
  show?(text: string): string;
  /** False where `${NAME}` is left to the shell. */
  readonly interpolated?: boolean;
  /** The text is `file:`, `command:` or the secret itself, and is never shown. */
  readonly secret?: boolean;
  /** A secret that loading leaves as it is written; whoever uses it resolves it. */
  readonly resolved?: "when used";
  /** A path that is relative to the file it is written in; `program` only if it has a slash. */
  readonly besideFile?: "path" | "program";
}

const anything = "^[\\s\\S]+$";

export const boolean: Kind<boolean> = {
  name: "boolean",
  expects: "true, yes or 1; false, no or 0; in any case",
  pattern: "^([tT][rR][uU][eE]|[yY][eE][sS]|1|[fF][aA][lL][sS][eE]|[nN][oO]|0)$",
  parse(text) {
    if (/^(?:true|yes|1)$/i.test(text)) return true;
    if (/^(?:false|no|0)$/i.test(text)) return false;
    throw usage(`expected true, yes, 1, false, no or 0, found ${quoted(text)}`);
  },
};

/** A place of rclone's; never quoted in a message, since a connection string may hold a secret. */
export const location: Kind<string> = {
  name: "location",
  expects: "a directory, or a location of rclone such as remote:path",
  pattern: anything,
  parse: rejectTilde,
  show: maskLocation,
};

/** For /bin/sh -c, which expands variables by itself. */
export const shell: Kind<string> = {
  name: "command",
  expects: "a command for /bin/sh -c",
  pattern: anything,
  parse: (text) => text,
  show: maskUrls,
  interpolated: false,
};

export const duration: Kind<number> = {
  name: "duration",
  expects: "such as 30s, 5m or 1h30m; a bare number counts seconds",
  pattern: "^(?=.)([0-9]+|([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?)$",
  parse: parseDuration,
};

export const limit: Kind<Limit> = {
  name: "limit",
  expects:
    "a percentage such as 50%, a number of files such as 1000, a size such as 10G (K is 1024), or off",
  pattern:
    "^([oO][fF][fF]|[0-9]+(\\.[0-9]+)?%|[0-9]+|[0-9]+(\\.[0-9]+)?([bB]|[kKmMgGtTpP]([iI][bB]?)?))$",
  parse: parseLimit,
};

export const size: Kind<number> = {
  name: "size",
  expects: "a size such as 10G or 512M; K is 1024, a bare number counts bytes",
  pattern: "^[0-9]+(\\.[0-9]+)?([bB]|[kKmMgGtTpP]([iI][bB]?)?)?$",
  parse: parseBytes,
};

export const count: Kind<number> = {
  name: "count",
  expects: "a whole number from 1 to 1000",
  pattern: "^(1000|[1-9][0-9]{0,2})$",
  parse(text) {
    if (/^(?:1000|[1-9]\d{0,2})$/.test(text)) return Number(text);
    throw usage(`expected a whole number from 1 to 1000, found ${quoted(text)}`);
  },
};

export const absolutePath: Kind<string> = {
  name: "absolute path",
  expects: "a path that begins with /",
  pattern: "^/[\\s\\S]*$",
  parse(text) {
    if (text.startsWith("/")) return text;
    throw usage(`expected a path that begins with /, found ${quoted(text)}`);
  },
};

export const path: Kind<string> = {
  name: "path",
  expects: "a path",
  pattern: anything,
  parse: rejectTilde,
};

export const fileBeside: Kind<string> = {
  name: "path",
  expects: "a path; a relative one starts at the directory of the file it is written in",
  pattern: anything,
  parse: rejectTilde,
  besideFile: "path",
};

/** A name is looked up in PATH, so only a path is relative to the file. */
export const program: Kind<string> = {
  name: "program",
  expects:
    "a program in PATH, or a path; a relative one starts at the directory of the file it is written in",
  pattern: anything,
  parse: rejectTilde,
  besideFile: "program",
};

export const secret: Kind<string> = {
  name: "secret",
  expects:
    "file:PATH (its first line), command:CMD (the first line that /bin/sh -c CMD prints within 30 s), or the secret itself",
  pattern: anything,
  parse: (text) => text,
  secret: true,
};

const speed = String.raw`(?:off|\d+(?:\.\d+)?(?:[bkmgtp](?:ib?)?)?)`;
const bandwidth = new RegExp(`^(?:(?:\\w+-)?\\d\\d:\\d\\d,)?${speed}(?::${speed})?$`, "i");

export const timetable: Kind<string> = {
  name: "bandwidth",
  expects:
    "a speed such as 10M (bytes a second), 10M:1M (up:down), or a timetable such as `08:00,512k 23:00,off`",
  pattern: anything,
  parse(text) {
    if (text.split(/[\s;]+/).every((part) => bandwidth.test(part))) return text;
    throw usage(
      `expected a speed such as 10M or a timetable such as 08:00,512k 23:00,off, found ${quoted(text)}`,
    );
  },
};

export const flags: Kind<readonly string[]> = {
  name: "flags",
  expects: "long flags of rclone, such as --buffer-size=32M",
  pattern: "^--[\\s\\S]*$",
  parse: parseFlags,
  show: maskUrls,
};

export const conditions: Kind<readonly string[]> = {
  name: "conditions",
  expects: "all, data=[<]N[%], files=N[%], age=SPEC and hash, separated by commas or spaces",
  pattern: anything,
  parse(text) {
    const list = splitConditions(text);
    parseConditions(list);
    return list;
  },
};

const historyKinds = ["auto", "none", "b2", "s3", "dir"] as const;

export type HistoryKind = (typeof historyKinds)[number];

export const historyKind: Kind<HistoryKind> = {
  name: "history kind",
  expects: "auto, none, b2, s3 or dir",
  pattern: `^(${historyKinds.join("|")})$`,
  parse(text) {
    const kind = historyKinds.find((each) => each === text);
    if (kind !== undefined) return kind;
    const message = `expected auto, none, b2, s3 or dir, found ${quoted(text)}`;
    const near = suggest(text, historyKinds);
    throw usage(message, near === undefined ? {} : { hint: `did you mean ${near}?` });
  },
};

function rejectTilde(text: string): string {
  if (text !== "~" && !text.startsWith("~/")) return text;
  throw usage("expected a path, found one that begins with ~", {
    hint: "write ${HOME} instead of ~",
  });
}
