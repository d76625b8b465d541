#!/usr/bin/env node
import { parseCommand } from "../lib/cli.ts";
import { joinCommand } from "../lib/commands/join.ts";

parseCommand(
  joinCommand({
    name: "pg-join",
    splitter: "pg-split",
    table: "schema.table",
    examples: [
      "pg-join --verify /srv/dump/shop",
      "pg-join /srv/dump/shop | psql -X -v ON_ERROR_STOP=1 shop_restored",
      "pg-join --table public.orders /srv/dump/shop | psql -X scratch",
    ],
    chooser: async () => (await import("../lib/dumps/pgchoose.ts")).choosePgTables,
  }),
);
