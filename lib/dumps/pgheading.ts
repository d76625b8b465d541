/** What stands between the two lines `--` before a part of a dump. */
export type Heading =
  /** An object's, such as `-- Name: t; Type: TABLE; Schema: public; Owner: me`. */
  | {
      readonly kind: "entry";
      readonly name: string;
      readonly type: string;
      /** Undefined for what is in no schema. */
      readonly schema: string | undefined;
    }
  /** Any other, such as `-- PostgreSQL database dump`. */
  | { readonly kind: "title"; readonly text: string };

const entryLine = /^-- (?:\w+ for )?Name: (.*); Type: ([A-Z ]+); Schema: (.*?); Owner: /;
const rule = "--\n";
const rest = "\n--\n";

/**
 * Reads the heading that a text begins with, and how many bytes long it is; undefined if it begins
 * with none. As pg_dump writes them (_printTocEntry in pg_backup_archiver.c), with the lines that
 * --verbose and pg_restore add.
 */
export function readHeading(
  text: Buffer,
): { readonly heading: Heading; readonly length: number } | undefined {
  if (text.toString("latin1", 0, 6) !== `${rule}-- `) return undefined;
  const end = text.indexOf(rest, rule.length);
  if (end < 0) return undefined;
  const lines = text.toString("utf8", rule.length, end).split("\n");
  if (!lines.every((line) => line.startsWith("-- "))) return undefined;
  const length = end + rest.length;
  for (const line of lines) {
    const [, name, type, schema] = entryLine.exec(line) ?? [];
    if (name !== undefined && type !== undefined)
      return {
        heading: { kind: "entry", name, type, schema: schema === "-" ? undefined : schema },
        length,
      };
  }
  return { heading: { kind: "title", text: (lines[0] ?? "").slice(3) }, length };
}

const identifier = String.raw`(?:"(?:[^"]|"")+"|[^\s".]+)`;
const named = String.raw`(${identifier})\.(${identifier})`;
const createIndex = new RegExp(
  String.raw`^\s*CREATE (?:UNIQUE )?INDEX ${identifier} ON (?:ONLY )?${named} USING `,
);
const addIdentity = new RegExp(
  String.raw`^\s*ALTER TABLE (?:ONLY )?${named} ALTER COLUMN ${identifier} ADD GENERATED `,
);
const ownSequence = new RegExp(
  String.raw`^ALTER SEQUENCE ${named} OWNED BY ${named}\.${identifier};`,
  "gm",
);

const attachIndex = new RegExp(String.raw`^\s*ALTER INDEX ${named} ATTACH PARTITION ${named};`);

export interface TableName {
  readonly schema: string;
  /** As in headings, where names have spaces for line breaks. */
  readonly table: string;
}

/** The table of a CREATE INDEX, as pg_get_indexdef writes it, that a text begins with. */
export function indexedTable(text: string): TableName | undefined {
  const [, schema, table] = createIndex.exec(text) ?? [];
  return tableName(schema, table);
}

/** The index of a partitioned table, by which name in which schema, that a statement attaches another one to. */
export function indexAttachedTo(text: string): string | undefined {
  const [, schema, name] = attachIndex.exec(text) ?? [];
  const found = tableName(schema, name);
  return found === undefined ? undefined : `${found.schema}.${found.table}`;
}

/** The table whose column a sequence belongs to, if the statements behind its heading tell one. */
export function sequenceOwner(text: string, sequence: TableName): TableName | undefined {
  const [, schema, table] = addIdentity.exec(text) ?? [];
  if (schema !== undefined) return tableName(schema, table);
  for (const [, ofSchema, of, ownerSchema, owner] of text.matchAll(ownSequence)) {
    const found = tableName(ofSchema, of);
    if (found?.schema === sequence.schema && found.table === sequence.table)
      return tableName(ownerSchema, owner);
  }
  return undefined;
}

/** A name without the quotes that SQL wants around some. */
export function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

function tableName(schema: string | undefined, table: string | undefined): TableName | undefined {
  if (schema === undefined || table === undefined) return undefined;
  return { schema: inHeading(schema), table: inHeading(table) };
}

function inHeading(name: string): string {
  return unquoted(name).replaceAll(/[\r\n]/g, " ");
}
