import { isUtf8, textFromRaw, type RawPath } from "../units/rawpath.ts";
import { escapeText } from "./escape.ts";

/** A path for a line of a result: escaped on a terminal, byte for byte into a file or a pipe. */
export function pathBytes(path: RawPath, toTerminal: boolean): Buffer {
  return toTerminal
    ? Buffer.from(escapeText(textFromRaw(path)), "utf8")
    : Buffer.from(path, "latin1");
}

/** A path in JSON: text, and its bytes in base64 where they are not UTF-8. */
export function pathJson(path: RawPath): { path: string; path_base64?: string } {
  const text = textFromRaw(path);
  return isUtf8(path)
    ? { path: text }
    : { path: text, path_base64: Buffer.from(path, "latin1").toString("base64") };
}
