import type { Backup, RetentionLine } from "../config/backup.ts";
import { usage } from "../errors.ts";
import { compilePattern, type Pattern } from "../history/pattern.ts";
import type { Policy } from "../units/policy.ts";
import { builtInPolicy } from "../units/policy.ts";
import type { RawPath } from "../units/rawpath.ts";
import { textFromRaw } from "../units/rawpath.ts";
import { coveredBy } from "./reach.ts";
import type { Reach } from "./reach.ts";

/** The policy for a path, and the line that says so; no line where `default` holds. */
export interface Choice {
  readonly policy: Policy;
  readonly line: RetentionLine | undefined;
}

/** A line that can never decide anything, since one above it takes all that it matches. */
export interface Shadowed {
  readonly line: RetentionLine;
  readonly by: RetentionLine;
}

export interface Retention {
  /** The first line that matches decides. */
  choose(path: RawPath): Choice;
  readonly shadowed: readonly Shadowed[];
  /** Lines that have decided nothing so far, the shadowed ones left out. */
  idle(): readonly RetentionLine[];
}

interface Rule {
  readonly choice: Choice;
  readonly line: RetentionLine;
  readonly pattern: Pattern;
  readonly reach: Reach;
  used: boolean;
}

/**
 * Compiles the lines of `[retention]`. A pattern without glob characters means that path and all
 * below it, one with a / at its end all below it, any other glob the paths that it matches whole.
 * Throws a usage failure if a line names a policy that is not there.
 */
export async function makeRetention({
  policies,
  retention,
}: Pick<Backup, "policies" | "retention">): Promise<Retention> {
  const find = (name: string): Policy => {
    const policy = policies.get(name) ?? builtInPolicy(name);
    if (policy !== undefined) return policy;
    throw usage(`expected a known policy, found ${JSON.stringify(name)}`);
  };
  const otherwise: Choice = { policy: find("default"), line: undefined };
  const rules: Rule[] = [];
  for (const line of retention) {
    const choice = { policy: find(line.policy), line };
    const pattern = await compilePattern(line.pattern);
    rules.push({ choice, line, pattern, reach: reachOfPattern(pattern), used: false });
  }
  return {
    choose(path) {
      for (const rule of rules) {
        if (!rule.pattern.matches(path)) continue;
        rule.used = true;
        return rule.choice;
      }
      return otherwise;
    },
    shadowed: shadows(rules),
    idle: () => {
      const shadowed = new Set(shadows(rules).map(({ line }) => line));
      return rules.filter(({ used, line }) => !used && !shadowed.has(line)).map(({ line }) => line);
    },
  };
}

/** What is plain to see of a pattern: of a glob, the directories that it begins with. */
function reachOfPattern({ text, plain, directory }: Pattern): Reach {
  const whole = text.replace(/^\/+/, "");
  const below = whole === "" || whole.endsWith("/");
  if (plain !== undefined)
    return { head: plain === "" ? [] : plain.split("/"), all: true, self: !below, text: undefined };
  const head = textFromRaw(directory);
  return {
    head: head.split("/").slice(0, -1),
    all: whole.slice(head.length).replace(/\/$/, "") === "**",
    self: false,
    text: whole,
  };
}

function shadows(rules: readonly Rule[]): Shadowed[] {
  return rules.flatMap(({ line, reach }, index) => {
    const above = rules.slice(0, index).find((rule) => coveredBy(reach, rule.reach));
    return above === undefined ? [] : [{ line, by: above.line }];
  });
}
