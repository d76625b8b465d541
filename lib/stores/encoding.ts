import { isUtf8 } from "node:buffer";
import { usage } from "../errors.ts";
import { rawFromBytes, type RawPath } from "../units/rawpath.ts";

/*
 * rclone's lib/encoder: a store that can't hold some characters gets others for them, and what
 * looks like such a replacement is quoted. Names are bytes in Latin-1 strings, here too.
 */
const raw = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

const quote = raw("\u201b");
const fullStop = raw("\uff0e");
const dots = new Map([
  [".", fullStop],
  ["..", fullStop + fullStop],
  [fullStop, quote + fullStop],
  [fullStop + fullStop, quote + fullStop + quote + fullStop],
]);
const undots = new Map([...dots].map(([plain, encoded]) => [encoded, plain]));

/** U+FF01 to U+FF5E for what can be seen, U+2400 to U+2421 for the rest. */
function replacement(character: string): string {
  const code = character.charCodeAt(0);
  if (code === 0x7f) return raw("\u2421");
  return raw(String.fromCharCode(code <= 0x20 ? 0x2400 + code : 0xfee0 + code));
}

const controls = Array.from({ length: 31 }, (_, at) => String.fromCharCode(at + 1)).join("");

/** Replaced wherever they stand. */
const anywhere: Readonly<Record<string, string>> = {
  Slash: "/",
  LtGt: "<>",
  SquareBracket: "[]",
  Semicolon: ";",
  Exclamation: "!",
  DoubleQuote: '"',
  SingleQuote: "'",
  BackQuote: "`",
  Dollar: "$",
  Colon: ":",
  Question: "?",
  Asterisk: "*",
  Pipe: "|",
  Hash: "#",
  Percent: "%",
  BackSlash: "\\",
  CrLf: "\r\n",
  Del: "\x7f",
  Ctl: controls,
};
/** Replaced at one end of a segment. */
const atEnds: Readonly<Record<string, string>> = {
  Space: " ",
  Period: ".",
  Tilde: "~",
  CrLfHtVt: "\r\n\t\v",
};
const left = ["Space", "Period", "Tilde", "CrLfHtVt"];
const right = ["Space", "Period", "CrLfHtVt"];

/** One way to write names. */
interface Encoding {
  /** By plain character what stands for it, and back. */
  readonly replaced: ReadonlyMap<string, string>;
  readonly restored: ReadonlyMap<string, string>;
  /** The same for the first and the last character of a segment. */
  readonly first: ReadonlyMap<string, string>;
  readonly last: ReadonlyMap<string, string>;
  readonly dot: boolean;
  readonly invalidUtf8: boolean;
}

/** Translates whole paths between a store's encoding and rclone's standard one. */
export interface NameEncoding {
  /** The path as rclone shows it, for one as the store keeps it. */
  readonly fromStore: (stored: RawPath) => RawPath;
  readonly toStore: (path: RawPath) => RawPath;
}

/** What the backends use where the remote's `encoding` option is not set. */
export const defaultEncodings = {
  b2: "Slash,BackSlash,Del,Ctl,InvalidUtf8,Dot",
  s3: "Slash,InvalidUtf8,Dot",
} as const;

/**
 * The encoding of a remote's `encoding` option: names of rclone's, separated by commas.
 * Throws a usage failure for a name that is not known.
 */
export function nameEncoding(option: string): NameEncoding {
  const mnemonics = option.split(",").map((name) => name.trim());
  // By itself it means that the store's names are taken as they are; among others it means nothing.
  const store = encodingOf(mnemonics);
  const asItIs = mnemonics.every((name) => name === "Raw");
  const decode = asItIs
    ? (name: string): string => name
    : (name: string) => decodeName(name, store);
  const encode = asItIs
    ? (name: string): string => name
    : (name: string) => encodeName(name, store);
  const translate = (path: RawPath, change: (name: string) => string): RawPath =>
    needsNothing(path) ? path : rawFromBytes(path.split("/").map(change).join("/"));
  const needsNothing = checkFor(store);
  return {
    fromStore: (stored) => translate(stored, (name) => encodeName(decode(name), standard)),
    toStore: (path) => translate(path, (name) => encode(decodeName(name, standard))),
  };
}

/**
 * The name of what rclone would not have stored under these bytes: the bytes themselves, so that it is
 * no other file's version. Where they are how another file is shown, no file at all has the name.
 */
export function foreignName({ fromStore, toStore }: NameEncoding, stored: RawPath): RawPath {
  return fromStore(toStore(stored)) === stored ? rawFromBytes(`\0${stored}`) : stored;
}

function encodingOf(mnemonics: readonly string[]): Encoding {
  const has = (name: string): boolean => mnemonics.includes(name);
  const ends = (side: string, names: readonly string[]): string[] =>
    names.filter((name) => has(side + name)).flatMap((name) => (atEnds[name] ?? "").split(""));
  const known = new Set([
    ...Object.keys(anywhere),
    ...left.map((name) => `Left${name}`),
    ...right.map((name) => `Right${name}`),
    ...["InvalidUtf8", "Dot", "None", "Raw"],
  ]);
  const unknown = mnemonics.find((name) => !known.has(name));
  if (unknown !== undefined)
    throw usage(`encoding: expected one of ${[...known].toSorted().join(", ")}, found ${unknown}`);
  const replaced = table([
    "\0",
    ...Object.keys(anywhere).flatMap((name) => (has(name) ? (anywhere[name] ?? "").split("") : [])),
  ]);
  return {
    replaced,
    restored: inverse(replaced),
    first: table(ends("Left", left)),
    last: table(ends("Right", right)),
    dot: has("Dot"),
    invalidUtf8: has("InvalidUtf8"),
  };
}

function table(characters: readonly string[]): ReadonlyMap<string, string> {
  return new Map(characters.map((character) => [character, replacement(character)]));
}

function inverse(replaced: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...replaced].map(([plain, stands]) => [stands, plain]));
}

/** What rclone shows, and what its own files and lists hold. */
const standard = encodingOf(["Slash", "Ctl", "Del", "Dot"]);

/** Whether a path surely looks the same in both encodings; most do. */
function checkFor(store: Encoding): (path: string) => boolean {
  const special = new Set([
    ...[...store.replaced.keys(), ...standard.replaced.keys()].filter((key) => key !== "/"),
    ...store.first.keys(),
    ...store.last.keys(),
  ]);
  const escaped = [...special].map(
    (key) => `\\x${key.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  // All replacements, and the quote, begin with one of these four pairs of bytes.
  const suspect = new RegExp(
    `[${escaped.join("")}]|(?:^|/)\\.{1,2}(?:/|$)|\\xe2\\x80\\x9b|\\xe2\\x90|\\xef[\\xbc\\xbd]`,
  );
  const beyondAscii = /[\x80-\xff]/;
  return (path) =>
    !suspect.test(path) &&
    (!store.invalidUtf8 || !beyondAscii.test(path) || isUtf8(Buffer.from(path, "latin1")));
}

/** Whole characters in UTF-8, and single bytes where there are none. */
const units =
  /[\0-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;

function encodeName(name: string, encoding: Encoding): string {
  const whole = encoding.dot ? dots.get(name) : undefined;
  if (whole !== undefined) return whole;
  const parts = name.match(units) ?? [];
  const prefix = atEnd(encoding.first, parts[0]);
  if (prefix !== undefined) parts.shift();
  const suffix = atEnd(encoding.last, parts.at(-1));
  if (suffix !== undefined) parts.pop();
  const middle = parts.map((part) => {
    const replaced = encoding.replaced.get(part);
    if (replaced !== undefined) return replaced;
    if (part === quote || encoding.restored.has(part)) return quote + part;
    // A byte beyond ASCII that stands alone is no character.
    if (!encoding.invalidUtf8 || part.length > 1 || part < "\x80") return part;
    return quote + part.charCodeAt(0).toString(16).toUpperCase();
  });
  return (prefix ?? "") + middle.join("") + (suffix ?? "");
}

function atEnd(replaced: ReadonlyMap<string, string>, part = ""): string | undefined {
  return replaced.get(part) ?? ([...replaced.values()].includes(part) ? quote + part : undefined);
}

function decodeName(name: string, encoding: Encoding): string {
  const whole = encoding.dot ? undots.get(name) : undefined;
  if (whole !== undefined) return whole;
  const parts = name.match(units) ?? [];
  const prefix = takeFirst(parts, inverse(encoding.first));
  const suffix = takeLast(parts, inverse(encoding.last));
  let plain = "";
  for (let at = 0; at < parts.length; at += 1) {
    const part = parts[at] ?? "";
    const next = parts[at + 1];
    if (part !== quote) plain += encoding.restored.get(part) ?? part;
    else if (next === quote || (next !== undefined && encoding.restored.has(next))) {
      plain += next;
      at += 1;
    } else if (
      encoding.invalidUtf8 &&
      /^[0-9a-f]{2}$/i.test((next ?? "") + (parts[at + 2] ?? ""))
    ) {
      plain += String.fromCharCode(Number.parseInt(`${next ?? ""}${parts[at + 2] ?? ""}`, 16));
      at += 2;
    } else plain += quote;
  }
  return prefix + plain + suffix;
}

function takeFirst(parts: string[], restored: ReadonlyMap<string, string>): string {
  const [first = "", second = ""] = parts;
  const plain = restored.get(first);
  if (plain !== undefined) parts.shift();
  else if (first === quote && restored.has(second)) return parts.splice(0, 2)[1] ?? "";
  return plain ?? "";
}

function takeLast(parts: string[], restored: ReadonlyMap<string, string>): string {
  const last = parts.at(-1) ?? "";
  const plain = restored.get(last);
  if (plain === undefined) return "";
  parts.pop();
  if (parts.at(-1) !== quote) return plain;
  parts.pop();
  return last;
}
