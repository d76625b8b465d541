import { failed, type Failure } from "../../errors.ts";

/** An element of an answer, without attributes and namespaces, which S3 does not use. */
export interface Element {
  readonly name: string;
  readonly children: readonly Element[];
  readonly text: string;
}

interface Growing {
  readonly name: string;
  readonly children: Growing[];
  text: string;
}

/** The root element of a whole XML document; undefined for bytes that are none, such as half of one. */
export async function parseXml(body: Buffer): Promise<Element | undefined> {
  const { SaxesParser } = await import("./saxes.ts");
  const parser = new SaxesParser();
  const open: Growing[] = [];
  let root: Growing | undefined;
  let error: Error | undefined;
  parser.on("error", (cause) => {
    error ??= cause;
  });
  parser.on("opentag", (tag) => {
    const element: Growing = { name: tag.name.replace(/^.*:/, ""), children: [], text: "" };
    const parent = open.at(-1);
    if (parent === undefined) root = element;
    else parent.children.push(element);
    open.push(element);
  });
  const text = (part: string): void => {
    const parent = open.at(-1);
    if (parent !== undefined) parent.text += part;
  };
  parser.on("text", text);
  parser.on("cdata", text);
  parser.on("closetag", () => void open.pop());
  parser.write(body.toString("utf8")).close();
  return error === undefined ? root : undefined;
}

/** An answer that is not what S3 documents: nothing may be concluded from it. */
export function unexpected(operation: string, expected: string, found: string): Failure {
  return failed(`${operation}: expected ${expected}, found ${found}`, {
    hint: "the endpoint does not answer as S3 does; nothing was concluded from it",
  });
}

/** The text of the first child of this name; undefined where there is none. */
export function optional(element: Element, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

/** The same for one that has to be there, and not empty. */
export function required(operation: string, element: Element, name: string): string {
  const text = optional(element, name);
  if (text === undefined || text === "")
    throw unexpected(operation, `text in ${name}`, text === undefined ? "no such element" : "none");
  return text;
}

/** `true` or `false`, which has to be there. */
export function flag(operation: string, element: Element, name: string): boolean {
  const text = required(operation, element, name).trim().toLowerCase();
  if (text !== "true" && text !== "false")
    throw unexpected(operation, `true or false in ${name}`, text);
  return text === "true";
}

/** A whole number of bytes. */
export function size(operation: string, element: Element, name: string): number {
  const text = required(operation, element, name).trim();
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw unexpected(operation, `a number of bytes in ${name}`, text);
  return value;
}

/** A time as S3 writes it, in milliseconds since 1970. */
export function time(operation: string, element: Element, name: string): number {
  const text = required(operation, element, name).trim();
  const value = Date.parse(text);
  if (
    !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) ||
    Number.isNaN(value)
  )
    throw unexpected(operation, `a time in ${name}`, text);
  return value;
}

const special: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

/** Text for an XML document; undefined for text that XML 1.0 can't hold. */
export function escaped(text: string): string | undefined {
  // oxlint-disable-next-line no-control-regex
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(text)) return undefined;
  return text.replace(/[&<>"\t\n\r]/g, (character) => special[character] ?? character);
}
