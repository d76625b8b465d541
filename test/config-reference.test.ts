import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { allKeys, findSection, reservedEnvironment } from "../lib/config/definition.ts";
import { environmentName } from "../lib/config/keys.ts";
import { configJson } from "../lib/config/show.ts";
import { documents, renderSchema } from "../scripts/reference.ts";
import { makeConfigDir, minimal } from "./helpers/config-dir.ts";

for (const [name, render] of Object.entries(documents)) {
  test(`docs/${name} is up to date`, async () => {
    const text = await readFile(new URL(`../docs/${name}`, import.meta.url), "utf8");
    assert.equal(text, render(), "run `npm run docs`");
  });
}

test("the definition holds together", () => {
  assert.equal(new Set(allKeys.map(({ id }) => id)).size, allKeys.length);
  const names = [...allKeys.map(environmentName), ...reservedEnvironment];
  assert.equal(new Set(names).size, names.length);
  for (const key of allKeys) {
    assert.equal(findSection(key.section)?.holds, "keys", key.id);
    assert.notEqual(key.example, key.fallback);
    for (const text of [key.example, key.fallback]) {
      if (text === undefined) continue;
      assert.doesNotThrow(() => key.read(text), key.id);
      assert.match(text, new RegExp(key.kind.pattern, "u"), key.id);
    }
  }
});

test("the schema's patterns agree with the parser", () => {
  const texts = [
    "",
    "yes",
    "TRUE",
    "0",
    "on",
    "50%",
    "0.5%",
    "1000",
    "1.5",
    "10G",
    "10GiB",
    "10GB",
    "10g",
    "1.5K",
    "7B",
    "7BiB",
    "off",
    "Off",
    "30s",
    "5m",
    "1h30m",
    "m",
    "1d2h3m4s",
    "1m2h",
    "8",
    "08",
    "-1",
    "/x",
    "x",
    "--checksum",
    "x --y",
  ];
  const strict = new Set(["boolean", "limit", "count", "absolute path"]);
  for (const key of allKeys) {
    const pattern = new RegExp(key.kind.pattern, "u");
    for (const text of texts.filter((each) => each !== "")) {
      const valid = isValid(() => key.read(text));
      // Where a pattern can't say everything, it must at least not refuse what is valid.
      if (valid || strict.has(key.kind.name))
        assert.equal(pattern.test(text), valid, `${key.id} = ${text}`);
    }
  }
});

test("the shown configuration has the schema's shape", async (t) => {
  const { write, load } = await makeConfigDir(t);
  const { config } = configJson(
    await load(await write({ "x.conf": `${minimal}[filters]\n- a\n` })),
  );
  const schema = record(JSON.parse(renderSchema()));
  const properties = record(schema["properties"]);
  assert.deepEqual(Object.keys(config), Object.keys(properties));
  for (const [section, values] of Object.entries(config)) {
    const definition = record(properties[section]);
    if (Array.isArray(values)) {
      assert.equal(definition["type"], "array");
      continue;
    }
    for (const [key, value] of Object.entries(values)) {
      const pattern = record(record(definition["properties"])[key])["pattern"];
      assert.match(value, new RegExp(String(pattern), "u"), `${section}.${key}`);
    }
  }
});

function isValid(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

function record(value: unknown): Record<string, unknown> {
  assert.ok(typeof value === "object" && value !== null);
  return Object.fromEntries(Object.entries(value));
}
