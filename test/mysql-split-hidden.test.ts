import assert from "node:assert/strict";
import { test } from "node:test";
import { lostOf, type SizedSection } from "../lib/dumps/mysqlkept.ts";
import { makeSplitting, mysqlDump, type Table } from "./helpers/splitting.ts";

/* What a server hides from a user without the right to it is not taken for gone. */

const trigger = `DELIMITER ;;
/*!50003 CREATE*/ /*!50003 TRIGGER note AFTER INSERT ON t FOR EACH ROW SET @a = 1 */;;
DELIMITER ;
`;
const routine = (name: string): string => `DELIMITER ;;
CREATE DEFINER=\`root\`@\`localhost\` PROCEDURE \`${name}\`()
select 1
;;
DELIMITER ;
`;

/** What stands behind the last table. */
function routines(...names: readonly string[]): string {
  return `\n--\n-- Dumping routines for database 'shop'\n--\n${names.map(routine).join("")}`;
}

const plain: Table = { name: "plain", rows: ["1"] };

const dump = (...names: readonly string[]): string =>
  mysqlDump([{ ...plain, after: routines(...names) }]);

test("a dump without any routine is refused where the one before has some", async (t) => {
  const { split, splitText, cat } = await makeSplitting(t);
  await splitText(dump());
  await splitText(dump("one", "two"));
  await splitText(dump("two"));
  const refused = await split([], { input: dump() });
  assert.equal(refused.code, 5);
  assert.match(
    refused.stderr,
    /expected a dump with routines of shop, as .* nothing was changed\n/,
  );
  assert.match(refused.stderr, /hint: .*rights.*--replace takes the dump/);
  assert.equal((await cat()).toString(), dump("two"));
  assert.equal((await split(["-n"], { input: dump() })).code, 5);
  await splitText(dump(), "--replace");
  await splitText(dump());
});

test("what stands behind the last heading is no routine", async (t) => {
  const { splitText } = await makeSplitting(t);
  const remark = `\n-- ${"a remark that says nothing of routines ".repeat(5)}\n`;
  await splitText(mysqlDump([{ ...plain, after: `${routines()}${remark}` }]));
  await splitText(dump());
});

test("triggers that went with their tables are not missed", async (t) => {
  const { split, splitText } = await makeSplitting(t);
  const [orders, zones] = ["orders", "zones"].map((name) => ({
    name,
    rows: ["1"],
    after: trigger,
  }));
  assert.ok(orders !== undefined && zones !== undefined);
  await splitText(mysqlDump([plain, orders, zones]));
  await splitText(mysqlDump([plain, orders, { ...zones, after: "" }]));
  const refused = await split([], { input: mysqlDump([plain, { ...orders, after: "" }]) });
  assert.equal(refused.code, 5);
  assert.match(refused.stderr, /with triggers of shop, as/);
  await splitText(mysqlDump([plain, { ...zones, after: "" }]));
});

const section = (kind: string, database: string, bytes = 500): SizedSection => ({
  section: { kind, database, table: /events|routines/.test(kind) ? undefined : "x" },
  bytes,
});

test("views and events are missed, each kind of each database by itself", () => {
  const some = ["a", "größe"].flatMap((database) => [
    section("structure", database),
    section("events", database),
    section("view", database),
  ]);
  assert.deepEqual(lostOf(some, some), []);
  const heading = Buffer.byteLength("--\n-- Dumping events for database 'größe'\n--\n\n");
  const less = [...some.slice(0, 4), section("events", "größe", heading)];
  assert.deepEqual(lostOf(some, less), [
    { kind: "events", database: "größe" },
    { kind: "views", database: "größe" },
  ]);
  assert.deepEqual(lostOf(less, some), []);
  // A database that is not in the dump was not asked for.
  assert.deepEqual(lostOf(some, some.slice(0, 3)), []);
  assert.deepEqual(lostOf(some, some.slice(3)), []);
});
