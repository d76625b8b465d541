import type { MysqlServer } from "./mysqlserver.ts";

/* What databases of tests hold: every type, names that need care, and all that is no table. */

/** 64 characters, the most that a name may have. */
const longName = `l${"o".repeat(61)}ng`;

/** Tables with names that a file or a comment can't have. */
export const awkwardNames: readonly string[] = [
  "with space",
  "with.dot",
  "with'quote",
  'with"double',
  "with`backtick",
  "with$dollar",
  "with/slash",
  "with-dash -- and comment",
  "größe ☃ 表",
  "select",
  "#hash;semicolon",
  longName,
];

export function quoted(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

const types = `
create table every_type (
  id int unsigned not null auto_increment primary key,
  t tinyint, s smallint, m mediumint, i int, b bigint unsigned, y year,
  d decimal(65,30), f float, g double, bits bit(13), yes boolean,
  day date, clock time(6), moment datetime(6), stamp timestamp(3) null,
  c char(40), v varchar(300) collate utf8mb4_bin, old varchar(40) character set latin1,
  bin binary(16), var varbinary(300), small tinyblob, large longblob, words longtext,
  one enum('a','b''c','d;e'), many set('x','y','z'),
  place point, shape geometry, document json,
  twice bigint generated always as (i * 2) stored, half bigint generated always as (i / 2) virtual,
  unique key (b), key (v(20)), fulltext key (words)
) comment='a comment with ''quotes'', a \\\\ and a\\nnew line';
insert into every_type
  (t,s,m,i,b,y,d,f,g,bits,yes,day,clock,moment,stamp,c,v,old,bin,var,small,large,words,one,many,place,shape,document)
values
  (-128,-32768,-8388608,-2147483648,0,1901,-12345678901234567890123456789012345.123456789012345678901234567890,
   1.5e-38,-1.7976931348623157e308,b'1010101010101',true,'1000-01-01','-838:59:59.000000','1000-01-01 00:00:00.000000',
   '1970-01-02 00:00:01.000','',' leading and trailing ','äöü',x'00','','',x'000a0d1a22275c25',
   'line\\nfeed\\r\\ttab \\\\ back \\' \\" -- \\n--\\n-- Table structure for table \`lure\`\\n--\\n','a','x,y',
   point(1,2),st_geomfromtext('LINESTRING(0 0,1 1,2 2)'),'{"a": [1, 2.5, null, "ü☃😀"]}'),
  (127,32767,8388607,2147483647,18446744073709551615,2155,0.000000000000000000000000000001,
   3.4e38,2.2250738585072014e-308,b'0',false,'9999-12-31','838:59:59.000000','9999-12-31 23:59:59.999999',
   '2038-01-18 03:14:07.999','UNLOCK TABLES;','😀 emoji','',repeat(x'ff',16),repeat(x'00ff',100),x'1f8b',
   repeat(unhex('00010203040506070a0dff'),30000),repeat('long words ',20000),'b\\'c','x,z',null,
   st_geomfromtext('POLYGON((0 0,4 0,4 4,0 0))'),'[]'),
  (null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null);
create table empty_one (id int primary key);
create table parent (id int primary key, name varchar(20));
create table child (id int primary key, parent_id int, foreign key (parent_id) references parent (id) on delete cascade);
insert into parent values (1,'one'),(2,'two');
insert into child values (10,1),(11,2);
create table parts (id int, day date) partition by range (id) (partition low values less than (10), partition high values less than maxvalue);
insert into parts values (1,'2026-01-01'),(100,'2026-01-02');
create table log (id int auto_increment primary key, what varchar(100));
create view names as select id, name as \`a name\` from parent;
create view nested as select \`a name\` from names where id > 1;
delimiter ;;
create trigger note_parent after insert on parent for each row begin
  insert into log (what) values (concat('parent ', new.name));
/*
--
-- Table structure for table \`in_a_body\`
--
*/
end;;
create procedure \`a procedure\` (in n int, out m int)
begin
  -- Dump completed
  set m = n + 1;
end;;
create function plus_one(n int) returns int deterministic return n + 1;;
create event nightly on schedule every 1 day starts '2030-01-01 03:00:00' do begin insert into log (what) values ('night'); end;;
delimiter ;
`;

/** Makes a database that holds all of it. */
export async function fillDatabase(server: MysqlServer, name: string): Promise<void> {
  await server.sql(`create database ${quoted(name)} character set utf8mb4`);
  const tables = awkwardNames.map(
    (table) =>
      `create table ${quoted(table)} (${quoted(table.slice(0, 60))} int primary key, v varchar(20));
insert into ${quoted(table)} values (1,'one'),(2,'it''s');\n`,
  );
  await server.sql(
    `set global log_bin_trust_function_creators = 1;\n${types}${tables.join("")}`,
    name,
  );
}

/** Makes a table \`big\` of so many rows. */
export async function fillRows(server: MysqlServer, database: string, rows: number): Promise<void> {
  await server.sql(
    `create table big (id int primary key, name varchar(80), amount int, note varchar(80));
create table digits (d int); insert into digits values (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);
insert into big select n, concat('name ', sha2(n, 256)), n % 977, 'the same for each row'
  from (select 1 + a.d + 10*b.d + 100*c.d + 1000*e.d + 10000*f.d + 100000*g.d as n
    from digits a, digits b, digits c, digits e, digits f, digits g) as numbers where n <= ${rows};`,
    database,
  );
}
