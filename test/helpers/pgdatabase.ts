/*
 * A database of PostgreSQL with every type, one of nearly every object, and names and contents that look
 * like parts of a dump.
 */

/** What a heading, a command of psql and the end of rows look like; the marks of all quotes. */
const deceptive: string = [
  "it's",
  "--",
  "-- Name: fake; Type: TABLE; Schema: public; Owner: me",
  "--",
  "",
  "COPY public.fake (a) FROM stdin;",
  String.raw`\.`,
  String.raw`\unrestrict x`,
  "",
  "--",
  "-- PostgreSQL database dump complete",
  "--",
  'say "$1" $_$',
  "",
].join("\n");

const longest = "n".repeat(59) + "😀";

/** Names that are hard to write: quotes, dots, dollar signs, spaces, emoji, 63 bytes. */
const awkwardNames: readonly string[] = [
  "plain",
  "Two Words",
  "it's",
  'a "quoted" one',
  "a.b",
  "$dollar$",
  "😀",
  "-- Name: x; Type: TABLE; Schema: y; Owner: z",
  "two\nlines",
  String.raw`back\slash`,
  "select",
  longest,
];

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const types: Readonly<Record<string, readonly string[]>> = {
  smallint: ["-32768"],
  integer: ["2147483647"],
  bigint: ["-9223372036854775808"],
  "numeric(30,10)": ["'NaN'", "12345678901234567890.0123456789"],
  numeric: ["'Infinity'", "1e-200"],
  real: ["'NaN'", "1.1754944e-38"],
  "double precision": ["'-Infinity'", "0.1", "'-0'"],
  money: ["12.34"],
  boolean: ["true"],
  text: [literal(deceptive), "''", String.raw`'\'`, String.raw`E'\t\r\b\f\v\x01'`],
  "character varying(99)": ["'ä😀'"],
  "character(7)": ["'a'"],
  '"char"': ["'c'"],
  name: ["'x'"],
  bytea: [String.raw`'\x0027225c0a2d2d0aff'`],
  date: ["'infinity'", "'0044-03-15 BC'"],
  time: ["'24:00'"],
  "time with time zone": ["'12:34:56.789+05:30'"],
  timestamp: ["'294276-12-31 23:59:59.999999'"],
  "timestamp with time zone": ["'2026-03-29 02:30:00+01'"],
  interval: ["'1 year -2 months 3 days 04:05:06.789'"],
  uuid: ["'00000000-0000-0000-0000-00000000000f'"],
  json: [`'{"a": "it''s \\u0000"}'`],
  jsonb: [`'{"b": [1, 2.50, null]}'`],
  jsonpath: ["'$.a[*] ? (@ > 1)'"],
  xml: ["'<a>''--</a>'"],
  point: ["'(1,2)'"],
  line: ["'{1,2,3}'"],
  lseg: ["'[(1,2),(3,4)]'"],
  box: ["'((1,2),(3,4))'"],
  path: ["'[(1,2),(3,4)]'"],
  polygon: ["'((1,2),(3,4),(5,6))'"],
  circle: ["'<(1,2),3>'"],
  cidr: ["'2001:db8::/32'"],
  inet: ["'192.0.2.1/24'"],
  macaddr: ["'08:00:2b:01:02:03'"],
  macaddr8: ["'08:00:2b:01:02:03:04:05'"],
  "bit(9)": ["B'101010101'"],
  "bit varying": ["B''"],
  tsvector: ["'a:1 ''it''''s'':2'"],
  tsquery: ["'a & !b'"],
  int4range: ["'[1,5)'"],
  int8multirange: ["'{[1,2),[5,)}'"],
  numrange: ["'empty'"],
  tstzrange: ["'[2026-01-01 00:00+00,)'"],
  pg_lsn: ["'16/B374D848'"],
  pg_snapshot: ["'10:20:10,14'"],
  oid: ["4294967295"],
  regclass: ["'pg_class'"],
  tid: ["'(0,1)'"],
  xid8: ["'42'"],
  "text[]": ["ARRAY['a','it''s',NULL,'NULL','{}']"],
  "integer[]": ["'[0:1][2:3]={{1,2},{3,4}}'"],
  '"Mood s"': [`'it''s "fine"'`],
  "pair[]": [`ARRAY[ROW('a,(', 1), ROW(NULL, 2)]::pair[]`],
  positive: ["7"],
};

const everyType = `
CREATE TYPE "Mood s" AS ENUM ('', 'it''s "fine"');
CREATE TYPE pair AS (a text, "b c" integer);
CREATE DOMAIN positive AS integer DEFAULT 1 CHECK (VALUE > 0);
CREATE TABLE every_type (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
${Object.keys(types)
  .map((type, at) => `  c${at} ${type}`)
  .join(",\n")});
INSERT INTO every_type DEFAULT VALUES;
${[0, 1, 2, 3]
  .map((row) => {
    const values = Object.values(types).map((list) => list[row] ?? "NULL");
    return `INSERT INTO every_type (${values.map((_, at) => `c${at}`).join(", ")}) VALUES (${values.join(", ")});`;
  })
  .join("\n")}
`;

const awkward = awkwardNames
  .map(
    (name, at) => `
CREATE TABLE ${quoted(name)} (id serial PRIMARY KEY, ${quoted(name)} text DEFAULT ${literal(deceptive)});
COMMENT ON TABLE ${quoted(name)} IS ${literal(deceptive)};
INSERT INTO ${quoted(name)} (${quoted(name)}) VALUES (${literal(name)}), (NULL), (''), (${literal(deceptive)});
CREATE INDEX ON ${quoted(name)} (${quoted(name)});
GRANT SELECT ON ${quoted(name)} TO PUBLIC;
CREATE VIEW v${at} AS SELECT * FROM ${quoted(name)} WHERE ${quoted(name)} <> ${literal(deceptive)};`,
  )
  .join("\n");

const objects = `
CREATE SCHEMA "it's a.schema";
CREATE TABLE "it's a.schema"."a.b" ("x y" integer REFERENCES plain (id) ON DELETE CASCADE, CHECK ("x y" > 0));
SET check_function_bodies = off;
CREATE FUNCTION deceive(integer) RETURNS text LANGUAGE plpgsql AS $body$BEGIN
${deceptive}
END$body$;
ALTER FUNCTION deceive(integer) SET search_path = 'it''s', "a""b";
COMMENT ON FUNCTION deceive(integer) IS ${literal(deceptive)};
CREATE FUNCTION atomic(a integer, b text DEFAULT ${literal(deceptive)}) RETURNS text LANGUAGE sql
  BEGIN ATOMIC SELECT b || $1 || '--' FROM plain; END;
CREATE PROCEDURE nothing() LANGUAGE sql AS '--';
CREATE AGGREGATE total (integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0');
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER "before it's" BEFORE UPDATE ON plain FOR EACH ROW WHEN (OLD.plain <> '--') EXECUTE FUNCTION touch();
CREATE TRIGGER other AFTER INSERT ON "Two Words" FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE quiet AS ON DELETE TO "it's" DO INSTEAD NOTHING;
CREATE TABLE measures (at date NOT NULL, value numeric, half numeric GENERATED ALWAYS AS (value / 2) STORED) PARTITION BY RANGE (at);
CREATE TABLE measures_2025 PARTITION OF measures FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE measures_2026 PARTITION OF measures FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX ON measures (at);
INSERT INTO measures (at, value) VALUES ('2025-05-05', 5), ('2026-06-06', 6);
CREATE TABLE heir (more text) INHERITS (plain);
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
CREATE UNLOGGED TABLE rooms (room integer, during tsrange, EXCLUDE USING gist (during WITH &&));
ALTER TABLE "a.b" ENABLE ROW LEVEL SECURITY;
CREATE POLICY "own rows" ON "a.b" USING (id > 0);
CREATE STATISTICS related ON at, value FROM measures;
CREATE MATERIALIZED VIEW sums AS SELECT sum(value) AS total FROM measures;
CREATE UNIQUE INDEX "sums it's" ON sums (total);
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
CREATE COLLATION "Ordinary" (provider = libc, locale = 'C');
CREATE FOREIGN DATA WRAPPER dummy;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER dummy OPTIONS (host 'it''s');
CREATE FOREIGN TABLE far (a text) SERVER elsewhere;
CREATE PUBLICATION changes FOR TABLE plain, "Two Words";
CREATE FUNCTION quiet() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER noticed ON ddl_command_end EXECUTE FUNCTION quiet();
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
CREATE SEQUENCE alone START 5 CYCLE MAXVALUE 9;
SELECT nextval('alone');
SELECT lo_from_bytea(424242, convert_to(${literal(deceptive.repeat(300))}, 'UTF8'));
COMMENT ON LARGE OBJECT 424242 IS 'it''s';
`;

/** Statements that fill an empty database. */
export const everything: string = `${everyType}${awkward}${objects}`;

/** A table of so many narrow rows, whose texts end alike. */
export function narrowRows(table: string, rows: number): string {
  return `CREATE TABLE ${table} (id integer PRIMARY KEY, name text);
INSERT INTO ${table} SELECT at, 'row ' || md5(at::text) || ' constant' FROM generate_series(1, ${rows}) at;
`;
}
