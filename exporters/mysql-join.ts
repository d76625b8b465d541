#!/usr/bin/env node
import { parseCommand } from "../lib/cli.ts";
import { joinCommand } from "../lib/commands/join.ts";

parseCommand(
  joinCommand({
    name: "mysql-join",
    splitter: "mysql-split",
    table: "database.table",
    examples: [
      "mysql-join --verify /srv/dump/shop",
      "mysql-join /srv/dump/shop | mysql shop_restored",
      "mysql-join --table shop.orders /srv/dump/all | mysql scratch",
    ],
    chooser: async () => (await import("../lib/dumps/mysqltables.ts")).chooseMysqlTables,
  }),
);
