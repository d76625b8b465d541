import { rawFromText, textFromRaw, type RawPath } from "../units/rawpath.ts";

/** Which paths someone means, relative to the top of the backup. */
export interface Pattern {
  /** As it was written. */
  readonly text: string;
  /** Nothing outside of this directory matches: empty, or ends in `/`. */
  readonly directory: RawPath;
  /** The path that it is, if it has no glob characters; text, without a / at either end. */
  readonly plain: string | undefined;
  matches(path: RawPath): boolean;
}

/**
 * Compiles a path or a glob: without glob characters it means that path and all below it, with a / at its
 * end all below it, any other glob the paths that it matches whole. A leading / changes nothing.
 */
export async function compilePattern(text: string): Promise<Pattern> {
  const whole = text.replace(/^\/+/, "");
  const below = whole === "" || whole.endsWith("/");
  const place = below ? whole.replace(/\/+$/, "") : whole;
  if (place === "") return { text, directory: rawFromText(""), plain: "", matches: () => true };
  const { Minimatch, unescape } = await import("minimatch");
  const options = { dot: true, nocomment: true, nonegate: true, platform: "linux" } as const;
  if (!new Minimatch(place, { ...options, magicalBraces: true }).hasMagic()) {
    const plain = unescape(place);
    const path = rawFromText(plain);
    const inside = rawFromText(`${plain}/`);
    return {
      text,
      plain,
      directory: below ? inside : parentOf(path),
      matches: (found) => found.startsWith(inside) || (!below && found === path),
    };
  }
  const glob = new Minimatch(below ? `${place}/**` : place, options);
  const segments = place.split("/");
  const first = segments.findIndex((segment) => /[*?[\]{}()\\!+@]/.test(segment));
  const above = segments.slice(0, Math.max(first, 0));
  return {
    text,
    plain: undefined,
    directory: rawFromText(above.map((segment) => `${segment}/`).join("")),
    matches: (found) => glob.match(isAscii(found) ? found : textFromRaw(found)),
  };
}

function isAscii(path: string): boolean {
  // eslint-disable-next-line no-control-regex
  return !/[^\u0000-\u007f]/.test(path);
}

/** The deepest directory that holds all that the patterns mean. */
export function commonDirectory(patterns: readonly Pattern[]): RawPath {
  const [first, ...rest] = patterns.map(({ directory }) => directory);
  let common = first ?? rawFromText("");
  for (const directory of rest)
    while (!directory.startsWith(common)) common = parentOf(common.slice(0, -1));
  return common;
}

function parentOf(path: string): RawPath {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a part of a raw path is one
  return path.slice(0, path.lastIndexOf("/") + 1) as RawPath;
}
