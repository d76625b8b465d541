import {
  indexAttachedTo,
  indexedTable,
  sequenceOwner,
  unquoted,
  type Heading,
} from "./pgheading.ts";
import type { Section } from "./scanner.ts";

/** Objects whose name is a table's or stands for one. */
const relations = new Set(["TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"]);
/** What is named as the table that it belongs to, or has a name of its own in the schema. */
const namedAlike = new Set([
  ...relations,
  "TABLE DATA",
  "TABLE ATTACH",
  "MATERIALIZED VIEW DATA",
  "ROW SECURITY",
  "STATISTICS",
  "STATISTICS DATA",
]);
/** What has the name of its table before its own. */
const namedAfter = new Set([
  "DEFAULT",
  "CONSTRAINT",
  "CHECK CONSTRAINT",
  "FK CONSTRAINT",
  "TRIGGER",
  "RULE",
  "POLICY",
]);
/** What says more about the object that it follows. */
const remarks = new Set(["COMMENT", "SECURITY LABEL"]);
/** Kinds of which all that stand together are one section. */
const together = new Set([
  "schema",
  "acl",
  "default",
  "globals",
  "blob",
  "blobs",
  "settings",
  "tail",
]);
/** Kinds that are no objects. */
const frame = new Set(["head", "drops", "connect", "settings"]);

type Entry = Extract<Heading, { kind: "entry" }>;

/**
 * Tells which section each part of a dump of PostgreSQL is in. Everything of a table has sections of
 * its own, so that another table which comes or goes changes none of them.
 */
export class PgSections {
  #current: Section = { kind: "head" };
  #database: string | undefined;
  /** Of the database so far, for what is named after them. */
  readonly #tables = new Set<string>();
  /** The tables that sequences belong to. */
  readonly #owners = new Map<string, string>();
  /** The tables of indexes, those of constraints too. */
  readonly #indexed = new Map<string, string>();
  /** The sequence whose heading came last. */
  #sequenceNow: string | undefined;

  /** Begins a section of this kind; undefined where one that is no other goes on. */
  begin(kind: string, table?: string, needs?: string): Section | undefined {
    const section = { kind, database: this.#database, table, needs };
    const { kind: now, database, table: of } = this.#current;
    if (together.has(kind) && kind === now && database === this.#database && of === table)
      return undefined;
    this.#current = section;
    return section;
  }

  /** A line that ends a session, before another one or at the end. */
  endSession(): Section | undefined {
    const { kind } = this.#current;
    return kind === "tail" || kind === "connect" ? undefined : this.begin("connect");
  }

  /** A line that begins a session in another database, unless a heading told that before. */
  connect(database: string): Section | undefined {
    if (this.#current.kind === "connect") return undefined;
    this.#enter(database);
    return this.begin("connect");
  }

  /** A statement that does more than set the session up: behind what does, --clean drops all that the dump holds. */
  beginDrops(): Section | undefined {
    return this.#current.kind === "head" ? this.begin("drops") : undefined;
  }

  /** A line that tells when the dump ended. */
  beginTail(): Section | undefined {
    return this.begin("tail");
  }

  /** What a heading begins; `statement` gives the text behind it. */
  beginAt(heading: Heading, statement: () => string): Section | undefined {
    return heading.kind === "title" ? this.#title(heading.text) : this.#entry(heading, statement);
  }

  #title(text: string): Section | undefined {
    if (text === "PostgreSQL database dump") return this.begin("head");
    if (text === "PostgreSQL database dump complete") return this.begin("tail");
    const database = /^Database "(.*)" dump$/.exec(text)?.[1];
    if (database === undefined && !text.startsWith("PostgreSQL database cluster dump"))
      // "Databases" comes behind the end of a session, and says nothing.
      return this.#current.kind === "connect" ? undefined : this.begin("globals");
    this.#enter(database);
    if (database !== undefined) return this.begin("connect");
    return this.begin(text.endsWith("complete") ? "tail" : "head");
  }

  #enter(database: string | undefined): void {
    this.#database = database;
    this.#tables.clear();
    this.#owners.clear();
    this.#indexed.clear();
  }

  #entry({ name, type, schema = "" }: Entry, statement: () => string): Section | undefined {
    if (remarks.has(type) && !frame.has(this.#current.kind)) return undefined;
    const kind = type === "TABLE DATA" ? "data" : type.toLowerCase().replaceAll(" ", "-");
    const full = `${schema}.${name}`;
    if (relations.has(type)) this.#tables.add(full);
    if (namedAlike.has(type)) return this.begin(kind, full);
    if (namedAfter.has(type)) {
      const table = this.#prefix(schema, name);
      // The index of a key has the name of the constraint.
      if (type === "CONSTRAINT")
        this.#indexed.set(`${schema}.${`${schema}.${name}`.slice(table.length + 1)}`, table);
      return this.begin(kind, table);
    }
    if (type.startsWith("SEQUENCE")) return this.#sequence(kind, schema, name, statement);
    if (type === "INDEX") {
      const { schema: of, table } = indexedTable(statement()) ?? { schema, table: name };
      this.#indexed.set(full, `${of}.${table}`);
      return this.begin(kind, `${of}.${table}`);
    }
    if (type === "INDEX ATTACH") {
      const parent = this.#indexed.get(indexAttachedTo(statement()) ?? "");
      return this.begin(kind, this.#indexed.get(full) ?? full, parent);
    }
    if (type === "ACL") return this.begin("acl", this.#aclTable(schema, name));
    if (type === "PUBLICATION TABLE") return this.begin(kind, this.#suffix(schema, name));
    if (type === "BLOB" || type === "BLOB METADATA") return this.begin("blob");
    if (type === "BLOBS") return this.begin("blobs");
    if (type === "DATABASE") this.#enter(name);
    return this.begin("schema");
  }

  /** A sequence, its owner, and its value belong to the table whose column it counts. */
  #sequence(
    kind: string,
    schema: string,
    table: string,
    statement: () => string,
  ): Section | undefined {
    const sequence = `${schema}.${table}`;
    if (kind === "sequence") {
      const owner = sequenceOwner(statement(), { schema, table });
      if (owner !== undefined) this.#owners.set(sequence, `${owner.schema}.${owner.table}`);
      this.#sequenceNow = sequence;
    } else if (
      kind === "sequence-owned-by" &&
      this.#current.kind === "sequence" &&
      this.#sequenceNow === sequence
    ) {
      return undefined;
    }
    return this.begin(kind, this.#owners.get(sequence) ?? sequence);
  }

  /** The longest beginning of a name that is a table; up to the first space where none is known. */
  #prefix(schema: string, name: string): string {
    const words = name.split(" ");
    for (let count = words.length - 1; count > 0; count -= 1) {
      const table = `${schema}.${words.slice(0, count).join(" ")}`;
      if (this.#tables.has(table)) return table;
    }
    return `${schema}.${words[0] ?? ""}`;
  }

  /** The same for the end of a name. */
  #suffix(schema: string, name: string): string {
    const words = name.split(" ");
    for (let first = 1; first < words.length; first += 1) {
      const table = `${schema}.${words.slice(first).join(" ")}`;
      if (this.#tables.has(table)) return table;
    }
    return `${schema}.${words.at(-1) ?? ""}`;
  }

  /** The table that rights are for; undefined for those on other objects. */
  #aclTable(schema: string, name: string): string | undefined {
    const [, what, object = ""] = /^(TABLE|SEQUENCE|COLUMN) (.*)$/.exec(name) ?? [];
    if (what === undefined) return undefined;
    const [table = object] = /^(?:"(?:[^"]|"")+"|[^".]+)/.exec(object) ?? [];
    const full = `${schema}.${unquoted(table)}`;
    return what === "SEQUENCE" ? (this.#owners.get(full) ?? full) : full;
  }
}
