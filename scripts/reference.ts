import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Section } from "../lib/config/definition.ts";
import { allKeys, reservedEnvironment, sections } from "../lib/config/definition.ts";
import type { Key } from "../lib/config/keys.ts";
import { environmentName } from "../lib/config/keys.ts";

const generated = "Generated from lib/config/definition.ts by `npm run docs`; do not edit.";

/** Text of docs/configuration-reference.md. */
export function renderReference(): string {
  const parts = [
    "# Configuration reference",
    `<!-- ${generated} -->`,
    "Every section and key of a configuration file. How the file is read is told in [configuration.md](configuration.md).",
    ...sections.flatMap(renderSection),
    "## Environment",
    `${reservedEnvironment.map((name) => `\`${name}\``).join(", ")} set no key: the first adds a configuration directory, the second says where state is kept, the third names the file to read in place of /etc/default/rclone-backups. Any other variable that begins with \`RCLONE_BACKUPS_\` must be one of those named above.`,
  ];
  return `${parts.join("\n\n")}\n`;
}

function renderSection(section: Section): string[] {
  const keys = allKeys.filter((key) => key.section === section.name);
  return [`## [${section.name}]`, section.summary, ...keys.map(renderKey)];
}

function renderKey(key: Key<unknown>): string {
  const facts = [
    `Value: ${key.kind.expects}`,
    key.fallback === undefined ? undefined : `Default: \`${key.fallback}\``,
    key.required ? "Required" : undefined,
    `Example: \`${key.name} = ${key.example}\``,
    key.kind.interpolated === false ? "`${NAME}` is left to the shell" : undefined,
    `Override: \`--set ${key.id}=…\`, \`${environmentName(key)}\``,
  ];
  const list = facts.filter((fact) => fact !== undefined).map((fact) => `- ${fact}`);
  return `### ${key.name}\n\n${key.summary}\n\n${list.join("\n")}`;
}

/** Text of docs/configuration.schema.json. */
export function renderSchema(): string {
  const properties = Object.fromEntries(
    sections.map((section) => [section.name, schemaOf(section)]),
  );
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A configuration of rclone-backups",
    $comment: generated,
    description:
      "The effective configuration, as `config` of `rclone-backup --show-config --json`: values are the texts of the file after interpolation, filter sections are lists of rules.",
    type: "object",
    properties,
    required: ["default"],
    additionalProperties: false,
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function schemaOf(section: Section): object {
  if (section.holds === "rules") {
    const items = { type: "string", pattern: "^[+-] \\s*\\S" };
    return { description: section.summary, type: "array", items };
  }
  if (section.holds === "retention") {
    const items = { type: "string", pattern: "^\\S.* = [a-z0-9_-]+$" };
    return { description: section.summary, type: "array", items };
  }
  if (section.holds === "policies") {
    const list = { type: "string", pattern: "^[1-9][0-9]*( [1-9][0-9]*| [*?])*$" };
    const propertyNames = { pattern: "^[a-z0-9_][a-z0-9_-]*$" };
    return {
      description: section.summary,
      type: "object",
      propertyNames,
      additionalProperties: list,
    };
  }
  const keys = allKeys.filter((key) => key.section === section.name);
  return {
    description: section.summary,
    type: "object",
    properties: Object.fromEntries(keys.map((key) => [key.name, propertyOf(key)])),
    required: keys.filter((key) => key.required).map((key) => key.name),
    additionalProperties: false,
  };
}

function propertyOf(key: Key<unknown>): object {
  return {
    description: `${key.summary} Value: ${key.kind.expects}.`,
    type: "string",
    pattern: key.kind.pattern,
    ...(key.fallback === undefined ? {} : { default: key.fallback }),
    examples: [key.example],
  };
}

/** What is generated, by the name of the file in docs/. */
export const documents: Readonly<Record<string, () => string>> = {
  "configuration-reference.md": renderReference,
  "configuration.schema.json": renderSchema,
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, render] of Object.entries(documents)) {
    writeFileSync(new URL(`../docs/${name}`, import.meta.url), render());
  }
}
