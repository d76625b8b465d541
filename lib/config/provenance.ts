import type { Chain } from "./chain.ts";
import { allKeys, sections } from "./definition.ts";
import type { Rule } from "./parse.ts";
import type { SettledRetention } from "./policies.ts";
import { maskSecret } from "./secret.ts";
import type { Settled, Settlement } from "./settle.ts";

/** One effective value and where it comes from. */
export interface Setting {
  readonly section: string;
  /** Empty for a line of a section that holds rules or patterns. */
  readonly key: string;
  /** Text to show: secrets are masked. */
  readonly value: string;
  /** `file:line`, `environment NAME`, `--set` or `default`. */
  readonly origin: string;
}

/** The rules of one section, the child's before its parent's. */
export function rulesOf(chain: Chain, section: string): Rule[] {
  return chain.files.flatMap((file) => file.rules.filter((rule) => rule.section === section));
}

/** Every value that is set or has a default and every rule, in the order of the sections. */
export function provenanceOf(
  chain: Chain,
  { values }: Settlement,
  { policies, lines }: SettledRetention,
): Setting[] {
  return sections.flatMap(({ name: section, holds }) => {
    if (holds === "rules") {
      return rulesOf(chain, section).map(({ text, place }) => ({
        section,
        key: "",
        value: text,
        origin: `${place.file}:${place.line}`,
      }));
    }
    if (holds === "policies") {
      return [...policies].map(([key, { text, origin }]) => ({
        section,
        key,
        value: text,
        origin,
      }));
    }
    if (holds === "retention") {
      return lines.map(({ pattern, policy, origin }) => ({
        section,
        key: "",
        value: `${pattern} = ${policy}`,
        origin,
      }));
    }
    return allKeys
      .filter((key) => key.section === section)
      .flatMap((key) => {
        const settled = values.get(key.id);
        if (settled !== undefined && settled.text !== "") {
          return [{ section, key: key.name, value: shown(settled), origin: settled.origin }];
        }
        if (key.fallback === undefined) return [];
        return [{ section, key: key.name, value: key.fallback, origin: "default" }];
      });
  });
}

function shown({ key, text }: Settled): string {
  return key.kind.secret === true ? maskSecret(text) : (key.kind.show?.(text) ?? text);
}
